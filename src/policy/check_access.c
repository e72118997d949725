/*
 * Rules that look something up in a table. What is looked up depends on the table's type:
 *
 *            exact                         domain         cidr               pcre
 *   client   address, verified name        verified name  address            address, verified name
 *   helo     the name                      the name       address literal    the name
 *   mailbox  a@b, a@, @b, b, <>            domain         -                  the whole address
 *
 * The entry's own action and text stand above the rule's. "pass" makes an exception: the rule does
 * not match.
 */
#include "core/log.h"
#include "core/worker.h"
#include "policy/policy_internal.h"
#include "policy/state.h"

static enum policy_result found(struct policy_call *c, struct str key,
                                const struct policy_entry *entry)
{
    struct str text = entry->text;
    c->has_action = entry->has_action;
    c->action = entry->action;
    c->text = text.n > 0 ? arena_str(c->arena, text) : STR("");
    policy_why(c, "%.*s is in the table %s%s", STR_ARG(key), c->rule->settings->table,
               entry->has_action && entry->action == POLICY_PASS ? " as an exception" : "");
    return POLICY_MATCH;
}

/* A look-up holds the content that it began with, as a new one may come while a worker is at it. */
struct look_up {
    struct policy_call *call;
    struct policy_content *content;
    enum policy_table_type type;
};

struct pattern_job {
    const struct policy_content *content;
    struct str subject;
    struct policy_entry entry;
    unsigned gave_up;
    bool found;
};

static void match_patterns(void *arg)
{
    struct pattern_job *job = arg;
    job->found =
        policy_content_find_pattern(job->content, job->subject, &job->entry, &job->gave_up);
}

static SUSPENDS bool find_pattern(const struct look_up *l, struct str subject,
                                  struct policy_entry *entry)
{
    struct pattern_job job = {.content = l->content, .subject = subject};
    worker_run(WORKER_CPU, match_patterns, &job);
    if (job.gave_up)
        log_warning("policy", l->call->facts->id,
                    "pattern takes too long table=%s line=%u value=\"%.*s\"",
                    l->call->rule->settings->table, job.gave_up, STR_ARG(subject));
    *entry = job.entry;
    return job.found;
}

static SUSPENDS bool find_text(const struct look_up *l, struct str key, struct policy_entry *entry)
{
    switch (l->type) {
    case TABLE_EXACT:
        return policy_content_find_exact(l->content, key, entry);
    case TABLE_DOMAIN:
        return policy_content_find_domain(l->content, key, entry);
    case TABLE_PATTERN:
        return find_pattern(l, key, entry);
    case TABLE_NETWORK:
        break;
    }
    return false;
}

static bool find_address(const struct look_up *l, struct str text, struct policy_entry *entry)
{
    struct network_address a;
    return network_address_parse(&a, text) && policy_content_find_network(l->content, &a, entry);
}

typedef enum policy_result look_up_function(const struct look_up *l);

static SUSPENDS enum policy_result with_table(struct policy_call *c, look_up_function *look_up)
{
    struct look_up l = {.call = c,
                        .content = policy_table_content(c->rule->table),
                        .type = policy_table_type(c->rule->table)};
    if (!l.content) {
        policy_why(c, "the table %s could not be read", c->rule->settings->table);
        return POLICY_UNKNOWN;
    }
    policy_content_ref(l.content);
    enum policy_result result = look_up(&l);
    policy_content_release(c->policy, l.content);
    return result;
}

/* --- client --- */

static SUSPENDS enum policy_result look_up_client_name(const struct look_up *l)
{
    struct policy_entry entry;
    struct str name;
    switch (policy_client_name(l->call, &name)) {
    case CLIENT_NAME_CONFIRMED:
        return find_text(l, name, &entry) ? found(l->call, name, &entry) : POLICY_NO_MATCH;
    case CLIENT_NAME_UNKNOWN:
        policy_why(l->call, "the name of %s is not known now", l->call->facts->address);
        return POLICY_UNKNOWN;
    default: /* anybody can claim a name */
        return POLICY_NO_MATCH;
    }
}

static SUSPENDS enum policy_result look_up_client(const struct look_up *l)
{
    struct str address = str_from_c(l->call->facts->address);
    struct policy_entry entry;
    bool is_found = l->type == TABLE_NETWORK
                        ? find_address(l, address, &entry)
                        : l->type != TABLE_DOMAIN && find_text(l, address, &entry);
    if (is_found)
        return found(l->call, address, &entry);
    return policy_content_has_names(l->content) ? look_up_client_name(l) : POLICY_NO_MATCH;
}

enum policy_result check_client_table(struct policy_call *c)
{
    return with_table(c, look_up_client);
}

/* --- HELO --- */

static SUSPENDS enum policy_result look_up_helo(const struct look_up *l)
{
    struct str helo = l->call->facts->helo, inside = helo;
    struct policy_entry entry;
    if (l->type != TABLE_NETWORK)
        return find_text(l, helo, &entry) ? found(l->call, helo, &entry) : POLICY_NO_MATCH;
    if (helo.n > 2 && helo.p[0] == '[') {
        inside = str_from(helo.p + 1, helo.n - 2);
        inside = str_skip(inside, str_starts_with_nocase(inside, STR("IPv6:")) ? 5 : 0);
    }
    return find_address(l, inside, &entry) ? found(l->call, helo, &entry) : POLICY_NO_MATCH;
}

enum policy_result check_helo_table(struct policy_call *c)
{
    return with_table(c, look_up_helo);
}

/* --- sender and recipient --- */

/* From the whole to the parts. */
static bool find_mailbox(const struct look_up *l, struct str address, struct policy_entry *entry)
{
    ptrdiff_t at = str_find_last_char(address, '@');
    if (policy_content_find_exact(l->content, address, entry))
        return true;
    return at > 0 &&
           (policy_content_find_exact(l->content, str_head(address, (size_t)at + 1), entry) ||
            policy_content_find_exact(l->content, str_skip(address, (size_t)at), entry) ||
            policy_content_find_exact(l->content, str_skip(address, (size_t)at + 1), entry));
}

static SUSPENDS enum policy_result look_up_mailbox(const struct look_up *l, struct str address)
{
    ptrdiff_t at = str_find_last_char(address, '@');
    struct str shown = address.n > 0 ? address : STR("<>");
    struct policy_entry entry;
    bool is_found = false;
    switch (l->type) {
    case TABLE_EXACT:
        is_found = find_mailbox(l, shown, &entry);
        break;
    case TABLE_DOMAIN:
        is_found = at >= 0 && find_text(l, str_skip(address, (size_t)at + 1), &entry);
        break;
    case TABLE_PATTERN:
        is_found = find_text(l, address, &entry);
        break;
    case TABLE_NETWORK:
        break;
    }
    return is_found ? found(l->call, shown, &entry) : POLICY_NO_MATCH;
}

static SUSPENDS enum policy_result look_up_sender(const struct look_up *l)
{
    return look_up_mailbox(l, l->call->facts->sender);
}

static SUSPENDS enum policy_result look_up_recipient(const struct look_up *l)
{
    return look_up_mailbox(l, l->call->facts->recipient);
}

enum policy_result check_sender_table(struct policy_call *c)
{
    return with_table(c, look_up_sender);
}

enum policy_result check_recipient_table(struct policy_call *c)
{
    return with_table(c, look_up_recipient);
}

bool check_mailbox_prepare(struct policy_rule *rule, struct arena *a, struct err *e)
{
    (void)a;
    return rule->table_settings->type != TABLE_NETWORK ||
           err_set(e, ERR_SYNTAX, "table: %s is of type cidr, which addresses of mail are not",
                   rule->table_settings->name);
}
