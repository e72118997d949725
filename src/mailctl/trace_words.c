/*
 * A sentence for each event that stories are made of, from its fields; docs/log.md says what they
 * mean. An event without a row is told as it stands in the log.
 */
#include "mailctl/trace.h"

#include <string.h>

struct event {
    const json_t *fields;
    const char *component, *said;
};

static const char *get(const struct event *e, const char *key)
{
    return text_of(e->fields, key);
}

static bool has(const struct event *e, const char *key)
{
    return *get(e, key) != '\0';
}

static bool is(const struct event *e, const char *key, const char *value)
{
    return strcmp(get(e, key), value) == 0;
}

/* "text VALUE" if there is one. */
static void add(struct buf *b, const struct event *e, const char *text, const char *key)
{
    if (has(e, key))
        buf_printf(b, "%s%s", text, get(e, key));
}

static void add_bytes(struct buf *b, const struct event *e)
{
    uint64_t size;
    if (!str_to_u64(str_from_c(get(e, "size")), &size))
        return;
    buf_add_c(b, ", ");
    add_size(b, (int64_t)size);
}

static const char *address(const struct event *e, const char *key)
{
    return has(e, key) ? get(e, key) : "<>";
}

static void add_count(struct buf *b, const struct event *e, const char *text)
{
    uint64_t n;
    char count[COUNT_TEXT];
    if (str_to_u64(str_from_c(get(e, "recipients")), &n))
        buf_printf(b, "%s%s", text, count_of(count, (int64_t)n, "recipient"));
}

static void add_tls(struct buf *b, const struct event *e)
{
    if (has(e, "tls"))
        buf_printf(b, ", %s", is(e, "tls", "none") ? "without TLS" : get(e, "tls"));
}

/* --- how it came --- */

static void say_accepted(struct buf *b, const struct event *e)
{
    buf_printf(b, "accepted: from %s", address(e, "from"));
    add(b, e, " to ", "to");
    if (!is(e, "recipients", "1"))
        add_count(b, e, ", ");
    add_bytes(b, e);
    if (has(e, "peer"))
        buf_printf(b, "; client %s [%s]", get(e, "helo"), get(e, "peer"));
    add(b, e, ", logged in as ", "user");
    add(b, e, "; left by the local user ", "unix_uid");
    add_tls(b, e);
    add(b, e, "; connection ", "session");
    if (has(e, "message-id"))
        buf_printf(b, "; Message-ID <%s>", get(e, "message-id"));
}

static void say_refused(struct buf *b, const struct event *e)
{
    buf_add_c(b, "refused");
    add(b, e, ": to ", "to");
    add(b, e, " from ", "from");
    add(b, e, "; client ", "peer");
    add(b, e, ": ", "code");
    add(b, e, has(e, "code") ? " " : ": ", "reason");
}

static void say_login(struct buf *b, const struct event *e)
{
    buf_printf(b, "%s logged in over %s from %s", get(e, "user"), e->component, get(e, "peer"));
    add(b, e, ", ", "mechanism");
    add_tls(b, e);
}

static void say_logout(struct buf *b, const struct event *e)
{
    buf_printf(b, "%s logged out", get(e, "user"));
    add(b, e, ": ", "reason");
}

static void say_disconnected(struct buf *b, const struct event *e)
{
    buf_printf(b, "the client %s is gone", get(e, "peer"));
    add(b, e, ": ", "reason");
}

static void say_policy(struct buf *b, const struct event *e)
{
    buf_printf(b, "policy: the rule %s says %s", get(e, "rule"), get(e, "action"));
    add(b, e, " at ", "stage");
    add(b, e, ": ", "reason");
}

/* --- the queue --- */

static void say_queued(struct buf *b, const struct event *e)
{
    if (has(e, "of"))
        buf_printf(b, "a message of its own, made of %s: from %s", get(e, "of"),
                   address(e, "from"));
    else
        buf_add_c(b, "in the queue");
    add_count(b, e, ": ");
}

static void say_resent(struct buf *b, const struct event *e)
{
    buf_printf(b, "%s with the sender %s", is(e, "kind", "copy") ? "copied" : "forwarded",
               address(e, "from"));
    add_count(b, e, " to ");
    add(b, e, ", as message ", "as");
}

static void say_report(struct buf *b, const struct event *e)
{
    buf_printf(b, "%s is told of it (%s report) by message %s", get(e, "to"), get(e, "kind"),
               get(e, "report"));
}

static void say_removed(struct buf *b, const struct event *e)
{
    (void)e;
    buf_add_c(b, "done: it has left the queue");
}

static void say_operator(struct buf *b, const struct event *e)
{
    buf_printf(b, "%s asked with mailctl: %s", get(e, "by"), get(e, "action"));
}

static void add_recipient(struct buf *b, const struct event *e)
{
    buf_printf(b, "%s", get(e, "to"));
    if (has(e, "original"))
        buf_printf(b, " (given as %s)", get(e, "original"));
}

static void add_relay(struct buf *b, const struct event *e)
{
    if (!is(e, "relay", "local") && !is(e, "relay", "none"))
        buf_printf(b, " by %s", get(e, "relay"));
}

static void add_said(struct buf *b, const struct event *e)
{
    if (*e->said)
        buf_printf(b, ": %s", e->said);
}

static void say_sent(struct buf *b, const struct event *e)
{
    bool here = is(e, "relay", "local"), nowhere = is(e, "relay", "none");
    buf_add_c(b, here ? "delivered to " : nowhere ? "done for " : "taken over for ");
    add_recipient(b, e);
    if (here) {
        add(b, e, ": mailbox ", "mailbox");
        add(b, e, " of ", "account");
        add(b, e, ", UID ", "uid");
        return;
    }
    add_relay(b, e);
    if (!here && !nowhere)
        add_tls(b, e);
    add_said(b, e);
}

static void say_delivery(struct buf *b, const struct event *e)
{
    if (is(e, "status", "sent")) {
        say_sent(b, e);
        return;
    }
    buf_add_c(b, is(e, "status", "deferred")  ? "put off for "
                 : is(e, "status", "bounced") ? "failed for "
                 : is(e, "status", "refused") ? "refused for "
                                              : "looked up again for ");
    add_recipient(b, e);
    add_relay(b, e);
    add_said(b, e);
}

/* --- the mailbox --- */

static void add_actor(struct buf *b, const struct event *e)
{
    if (has(e, "by"))
        buf_printf(b, "%s, with mailctl for ", get(e, "by"));
    buf_add_c(b, has(e, "user")      ? get(e, "user")
                 : has(e, "account") ? get(e, "account")
                                     : get(e, "home"));
}

static void add_uids(struct buf *b, const struct event *e, const char *key)
{
    const char *uids = get(e, key);
    if (*uids)
        buf_printf(b, " (UID %.60s%s)", uids, strlen(uids) > 60 ? "..." : "");
}

static void say_append(struct buf *b, const struct event *e)
{
    add_actor(b, e);
    add(b, e, " stored it in ", "mailbox");
    add_uids(b, e, has(e, "uids") ? "uids" : "uid");
}

static void say_transfer(struct buf *b, const struct event *e, const char *what)
{
    add_actor(b, e);
    buf_printf(b, " %s it from %s", what, get(e, "mailbox"));
    add_uids(b, e, "uids");
    add(b, e, " to ", "to");
    add(b, e, " of ", "to_user");
    add_uids(b, e, "to_uids");
}

static void say_copy(struct buf *b, const struct event *e)
{
    if (has(e, "uids")) {
        say_transfer(b, e, "copied");
        return;
    }
    buf_printf(b, "a hidden copy goes to %s", get(e, "to"));
}

static void say_move(struct buf *b, const struct event *e)
{
    say_transfer(b, e, "moved");
}

static void say_expunge(struct buf *b, const struct event *e)
{
    add_actor(b, e);
    add(b, e, " removed it from ", "mailbox");
    add_uids(b, e, "uids");
}

static void say_delete(struct buf *b, const struct event *e)
{
    add_actor(b, e);
    if (!has(e, "uids")) {
        add(b, e, " deleted the mailbox ", "mailbox");
        return;
    }
    add(b, e, " marked it as deleted in ", "mailbox");
    add_uids(b, e, "uids");
}

static void say_rename(struct buf *b, const struct event *e)
{
    add_actor(b, e);
    add(b, e, " gave the mailbox ", "mailbox");
    add(b, e, " the name ", "to");
}

static void say_flags(struct buf *b, const struct event *e)
{
    add_actor(b, e);
    buf_printf(b, "%s%s in %s",
               is(e, "change", "add")      ? " set "
               : is(e, "change", "remove") ? " took away "
                                           : " set the flags to ",
               has(e, "flags") ? get(e, "flags") : "none", get(e, "mailbox"));
    add_uids(b, e, "uids");
}

static const struct {
    const char *event;
    void (*say)(struct buf *b, const struct event *e);
} sentences[] = {
    {"accepted", say_accepted}, {"refused", say_refused},   {"login", say_login},
    {"logout", say_logout},     {"policy", say_policy},     {"disconnected", say_disconnected},
    {"queued", say_queued},     {"resent", say_resent},     {"report", say_report},
    {"removed", say_removed},   {"operator", say_operator}, {"delivery", say_delivery},
    {"append", say_append},     {"appended", say_append},   {"restored", say_append},
    {"copy", say_copy},         {"move", say_move},         {"expunge", say_expunge},
    {"replaced", say_expunge},  {"delete", say_delete},     {"rename", say_rename},
    {"flags", say_flags},
};

void trace_say(struct buf *out, const json_t *event)
{
    struct event e = {.fields = json_object_get(event, "fields"),
                      .component = text_of(event, "component"),
                      .said = text_of(event, "said")};
    struct str words = str_from_c(text_of(event, "event"));
    if (words.n > 0 && words.p[words.n - 1] == ':')
        words.n--;
    for (size_t i = 0; i < sizeof(sentences) / sizeof(*sentences); i++)
        if (str_equal(words, str_from_c(sentences[i].event))) {
            sentences[i].say(out, &e);
            return;
        }
    buf_add_c(out, text_of(event, "text"));
}

enum shade trace_shade(const json_t *event)
{
    static const struct {
        const char *status;
        enum shade shade;
    } shades[] = {{"sent", SHADE_GOOD}, {"deferred", SHADE_WARN}, {"bounced", SHADE_BAD}};
    const char *status = text_of(json_object_get(event, "fields"), "status");
    for (size_t i = 0; i < sizeof(shades) / sizeof(*shades); i++)
        if (strcmp(status, shades[i].status) == 0)
            return shades[i].shade;
    if (strcmp(text_of(event, "event"), "refused") == 0 ||
        strcmp(text_of(event, "level"), "error") == 0)
        return SHADE_BAD;
    return strcmp(text_of(event, "level"), "warning") == 0 ? SHADE_WARN : SHADE_NONE;
}
