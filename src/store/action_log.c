/*
 * The log of actions. Names from outside stand between < and >; control characters cannot get
 * through (core/log.h).
 */
#include "store/action_log.h"

#include "core/log.h"
#include "core/mem.h"

#include <stdlib.h>

/* Bytes of a list of UIDs in a line. */
#define UIDS_MAX 1000
/* Lines of one action. */
#define LINES_MAX 200

/* Public mailboxes are marked as destinations of mail name them. */
static const char *mark_of(const struct mailbox *m)
{
    return mailbox_is_public(m) ? ":public:" : "";
}

/* How many UIDs from list[0] on follow each other. */
static size_t run_of(const uint32_t *list, size_t count)
{
    size_t n = 1;
    while (n < count && list[n] == list[n - 1] + 1)
        n++;
    return n;
}

static void add_run(struct buf *b, uint32_t first, size_t n)
{
    bool begins = b->n == 0 || b->p[b->n - 1] == '=';
    buf_printf(b, "%s%u", begins ? "" : ",", first);
    if (n > 1)
        buf_printf(b, ":%u", first + (uint32_t)n - 1);
}

/* " uids=1:3,5 to_uids=7:10", as much of the lists as goes into a line; second may be NULL. Returns
 * how many they are. */
static size_t add_uids(struct buf *b, const uint32_t *first, const uint32_t *second, size_t count)
{
    struct buf to = BUF_EMPTY;
    size_t from = b->n, done = 0;
    buf_add_c(b, " uids=");
    buf_add_c(&to, " to_uids=");
    while (done < count && b->n - from + to.n < UIDS_MAX) {
        size_t n = run_of(first + done, count - done);
        if (second) {
            size_t other = run_of(second + done, n);
            n = other;
            add_run(&to, second[done], n);
        }
        add_run(b, first[done], n);
        done += n;
    }
    if (second)
        buf_add(b, to.p, to.n);
    buf_free(&to);
    return done;
}

static void add_operator(struct buf *b, const struct actor *a)
{
    if (a->by)
        buf_printf(b, " by=%s", a->by);
}

/* text: what stands in front of the UIDs. What does not fit into the first line goes on in others,
 * which are not for the log. */
static void log_lines(const struct actor *a, const char *action, const struct buf *text,
                      const uint32_t *first, const uint32_t *second, size_t count, bool in_log)
{
    struct buf list = BUF_EMPTY;
    size_t done = 0;
    for (int line = 0; done < count && line < LINES_MAX; line++) {
        buf_clear(&list);
        done += add_uids(&list, first + done, second ? second + done : NULL, count - done);
        if (done < count)
            buf_add_c(&list, " more=yes");
        buf_printf(&list, " count=%zu", count);
        add_operator(&list, a);
        (line == 0 && in_log ? log_action : log_trace)(a->component, a->id, "%s user=<%.*s>%s%s",
                                                       action, STR_ARG(a->login), text->p,
                                                       buf_c(&list));
    }
    buf_free(&list);
}

static void add_mailbox(struct buf *b, const char *key, const struct mailbox *m)
{
    struct buf name = BUF_EMPTY;
    buf_printf(&name, "%s%.*s", mark_of(m), STR_ARG(mailbox_name(m)));
    buf_printf(b, " %s=", key);
    log_add_bracketed(b, buf_str(&name));
    buf_free(&name);
}

void action_log_messages(struct actor a, const char *action, const struct mailbox *m,
                         const uint32_t *uids, size_t count)
{
    struct buf text = BUF_EMPTY;
    add_mailbox(&text, "mailbox", m);
    buf_c(&text);
    log_lines(&a, action, &text, uids, NULL, count, true);
    buf_free(&text);
}

void action_log_transfer(struct actor a, const char *action, const struct mailbox *from,
                         const struct mailbox *to, const uint32_t *source, const uint32_t *copies,
                         size_t count)
{
    struct buf text = BUF_EMPTY;
    add_mailbox(&text, "mailbox", from);
    if (a.to_login.n > 0 && !str_equal(a.to_login, a.login)) {
        buf_add_c(&text, " to_user=");
        log_add_bracketed(&text, a.to_login);
    }
    add_mailbox(&text, "to", to);
    buf_c(&text);
    log_lines(&a, action, &text, source, copies, count, true);
    buf_free(&text);
}

static void add_flags(struct buf *b, const struct flags_request *change)
{
    static const char *const names[] = {"\\Seen", "\\Answered", "\\Flagged", "\\Deleted",
                                        "\\Draft"};
    struct buf list = BUF_EMPTY;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (change->flags & 1u << i)
            buf_printf(&list, "%s%s", list.n ? " " : "", names[i]);
    for (size_t i = 0; i < change->keyword_count; i++)
        buf_printf(&list, "%s%.*s", list.n ? " " : "", STR_ARG(change->keywords[i]));
    buf_add_c(b, " flags=<");
    for (size_t i = 0; i < list.n; i++)
        if (list.p[i] != '>')
            buf_add_char(b, list.p[i]);
    buf_add_char(b, '>');
    buf_free(&list);
}

/* Those that were not left alone; to be freed. */
static uint32_t *changed(const struct flags_request *r, size_t *count)
{
    uint32_t *uids = mem_array(r->count + 1, sizeof(*uids));
    size_t failed = 0;
    *count = 0;
    for (size_t i = 0; i < r->count; i++) {
        while (failed < r->failed_count && r->failed[failed] < r->uids[i])
            failed++;
        if (failed == r->failed_count || r->failed[failed] != r->uids[i])
            uids[(*count)++] = r->uids[i];
    }
    return uids;
}

void action_log_flags(struct actor a, const struct mailbox *m, const struct flags_request *change)
{
    static const char *const changes[] = {
        [FLAGS_ADD] = "add", [FLAGS_REMOVE] = "remove", [FLAGS_REPLACE] = "replace"};
    struct buf text = BUF_EMPTY;
    add_mailbox(&text, "mailbox", m);
    buf_printf(&text, " change=%s", changes[change->change]);
    add_flags(&text, change);
    buf_c(&text);
    size_t count;
    uint32_t *uids = changed(change, &count);
    log_lines(&a, "flags", &text, uids, NULL, count, false);
    free(uids);
    buf_free(&text);
}

void action_log_folder(struct actor a, const char *action, struct str name, struct str to)
{
    log_action(a.component, a.id,
               to.n > 0 ? "%s user=<%.*s> mailbox=<%.*s> to=<%.*s>"
                        : "%s user=<%.*s> mailbox=<%.*s>%.*s",
               action, STR_ARG(a.login), STR_ARG(name), STR_ARG(to));
}

void action_log_acl(struct actor a, struct str mailbox, const struct acl_identifier *id,
                    enum acl_change change, unsigned rights)
{
    static const char *const signs[] = {
        [ACL_REPLACE] = "", [ACL_ADD] = "+", [ACL_REMOVE] = "-", [ACL_DELETE] = ""};
    struct buf name = BUF_EMPTY, letters = BUF_EMPTY;

    acl_identifier_write(&name, id);
    acl_letters_write(&letters, rights);
    log_action(a.component, a.id, "%s user=<%.*s> mailbox=<%.*s> identifier=<%s> rights=\"%s%s\"",
               change == ACL_DELETE ? "deleteacl" : "setacl", STR_ARG(a.login), STR_ARG(mailbox),
               buf_c(&name), signs[change], buf_c(&letters));
    buf_free(&name);
    buf_free(&letters);
}
