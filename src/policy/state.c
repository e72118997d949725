/*
 * What checks remember beyond one question. Counters belong to a rule's name, so a reload keeps
 * them; all tables are bounded (state_limits.h), for strangers fill them.
 */
#include "policy/state.h"

#include "core/loop.h"
#include "core/mem.h"
#include "policy/state_limits.h"

#include <stdlib.h>

struct policy_state *policy_state_new(struct loop *l, const char *data_dir)
{
    struct policy_state *s = MEM_NEW(struct policy_state);
    struct buf path = BUF_EMPTY;
    buf_printf(&path, "%s/policy.db", data_dir);
    s->loop = l;
    s->greylist_path = mem_dup(path.p, path.n);
    s->lists = dns_lists_new();
    s->connections = connection_counts_new();
    s->told = rate_table_new(RATE_KEYS_MAX);
    buf_free(&path);
    return s;
}

void policy_state_close(struct policy_state *s)
{
    if (!s)
        return;
    while (s->notices > 0)
        cond_wait_certain(&s->notices_gone);
    greylist_close(s->greylist);
    dns_lists_free(s->lists);
    connection_counts_free(s->connections);
    rate_table_free(s->told);
    while (s->counters) {
        struct rule_counter *c = s->counters;
        s->counters = c->next;
        rate_table_free(c->table);
        free(c->rule);
        free(c);
    }
    free(s->greylist_path);
    free(s);
}

struct greylist *policy_state_greylist(struct policy_state *s)
{
    if (!s->greylist)
        s->greylist = greylist_new(s->loop, s->greylist_path);
    return s->greylist;
}

const struct rule_counter *policy_state_find_counter(const struct policy_state *s, const char *rule)
{
    const struct rule_counter *c = s->counters;
    while (c && strcmp(c->rule, rule) != 0)
        c = c->next;
    return c;
}

struct rate_table *policy_state_counter(struct policy_state *s, const struct policy_rule *rule)
{
    const char *name = rule->settings->name;
    const struct rule_counter *found = policy_state_find_counter(s, name);
    if (found)
        return found->table;
    struct rule_counter *c = MEM_NEW(struct rule_counter);
    c->rule = mem_dup(name, strlen(name));
    c->table = rate_table_new(RATE_KEYS_MAX);
    c->next = s->counters;
    s->counters = c;
    return c->table;
}

/* --- a connection --- */

void policy_memo_release(struct policy_state *s, struct policy_memo *m)
{
    for (const struct held_connection *h = m->held; h; h = h->next)
        connection_count_give(s->connections, h->count);
    m->held = NULL;
}

/* Once a connection. A rule that needs the name asks again after somebody was in haste. */
static SUSPENDS void ask_for_name(struct policy_session *s, const char *address, bool haste)
{
    struct policy_memo *m = &s->memo;
    struct err e;
    bool again = m->name_status == CLIENT_NAME_UNKNOWN && m->name_in_haste && !haste;
    if (m->name_status != CLIENT_NAME_UNASKED && !again)
        return;
    usec deadline = deadline_in(haste ? CLIENT_NAME_TELL_PATIENCE : CLIENT_NAME_PATIENCE);
    m->name_in_haste = haste;
    m->name_status =
        client_name_find(s->policy->context.dns, address, deadline, s->arena, &m->name, &e);
    if (m->name_status == CLIENT_NAME_CONFIRMED)
        m->name = arena_str(s->arena, m->name); /* with a NUL */
}

/* What a proxy says of its client (XCLIENT) is as good as asking. */
enum client_name_status policy_client_name(struct policy_call *c, struct str *name)
{
    const struct policy_memo *m = &c->session->memo;
    bool told = c->facts->name || c->facts->name_status != CLIENT_NAME_UNASKED;
    if (m->name_status == CLIENT_NAME_UNASKED && told) {
        *name = str_from_c(c->facts->name);
        return c->facts->name ? CLIENT_NAME_CONFIRMED : c->facts->name_status;
    }
    ask_for_name(c->session, c->facts->address, false);
    *name = m->name;
    return m->name_status;
}

void policy_look_up_name(struct policy *p, struct policy_session **session, const char *address)
{
    struct network_address a;
    const struct policy_rules *rules = *session ? (*session)->rules : p->rules;
    if (!rules->settings->look_up_names || policy_rules_trust(rules, address) ||
        !network_address_parse(&a, str_from_c(address)))
        return;
    if (!*session)
        *session = policy_session_new(p);
    ask_for_name(*session, address, true);
}

enum client_name_status policy_session_name(const struct policy_session *session, const char **name)
{
    enum client_name_status status = session ? session->memo.name_status : CLIENT_NAME_UNASKED;
    *name = status == CLIENT_NAME_CONFIRMED ? session->memo.name.p : NULL;
    return status;
}

/* --- notices --- */

struct notice {
    struct policy_state *state;
    char *subject, *text;
};

static SUSPENDS void send_notice(void *arg)
{
    struct notice *n = arg;
    struct policy_state *s = n->state;
    s->notice(s->notice_arg, str_from_c(n->subject), str_from_c(n->text));
    free(n->subject);
    free(n->text);
    free(n);
    if (--s->notices == 0)
        cond_broadcast(&s->notices_gone);
}

void policy_set_notice(struct policy *p, policy_notice_fn *fn, void *arg)
{
    p->state->notice = fn;
    p->state->notice_arg = arg;
}

void policy_notice(struct policy_state *s, struct str subject, struct str text)
{
    if (!s->notice)
        return;
    struct notice *n = MEM_NEW(struct notice);
    *n = (struct notice){s, mem_dup(subject.p, subject.n), mem_dup(text.p, text.n)};
    if (fiber_start(s->loop, "notice", send_notice, n)) {
        s->notices++;
        return;
    }
    free(n->subject);
    free(n->text);
    free(n);
}
