/*
 * Asking the rules. At each step of a session those of that stage are asked in the order of the
 * list, until one decides: reject, defer and disconnect end it with a reply, accept ends it without
 * one. An accept stands for what its stage knows - at connect the connection, at mail the message,
 * at rcpt the recipient - and silences the rules behind it in the list at all later stages; rules
 * in front of it are asked when their stage comes.
 *
 * A rule that only tries (dry_run) is asked like the others, and a line in the log says what it
 * would have done. Who has logged in or belongs to a trusted network is not asked about, unless the
 * rule says so. No rule at rcpt keeps anybody from reaching our postmaster and abuse (RFC 5321
 * 4.5.1, RFC 2142): whoever is refused by mistake must be able to say so.
 *
 * Between two questions the list may have been replaced by a reload: a session keeps the rules of
 * its beginning.
 */
#include "auth/directory.h"
#include "core/log.h"
#include "core/mem.h"
#include "policy/limits.h"
#include "policy/policy_internal.h"
#include "policy/state.h"

#include <stdlib.h>

/* --- what is remembered of a session --- */

struct policy_session *policy_session_new(struct policy *p)
{
    struct policy_session *s = MEM_NEW(struct policy_session);
    s->arena = arena_new();
    s->policy = p;
    s->rules = policy_rules_ref(p->rules);
    for (int i = 0; i < POLICY_STAGES; i++)
        s->accepted[i] = SIZE_MAX;
    return s;
}

static void free_tags(struct policy_session *s, struct policy_tag *list)
{
    for (struct policy_tag *tag = list, *next; tag; tag = next) {
        next = tag->next;
        free(tag->line);
        free(tag);
        s->tag_count--;
    }
}

/* Takes those of the stages out of the list. */
static struct policy_tag *take_tags(struct policy_session *s, enum policy_stage first,
                                    enum policy_stage last)
{
    struct policy_tag *taken = NULL, **end = &taken;
    for (struct policy_tag **at = &s->tags; *at;) {
        struct policy_tag *tag = *at;
        if (tag->stage < first || tag->stage > last) {
            at = &tag->next;
            continue;
        }
        *at = tag->next;
        tag->next = NULL;
        *end = tag;
        end = &tag->next;
    }
    return taken;
}

/* Of this stage and those behind it, as they come anew. */
static void forget_from(struct policy_session *s, enum policy_stage stage)
{
    for (int i = (int)stage; i < POLICY_STAGES; i++)
        s->accepted[i] = SIZE_MAX;
    free_tags(s, take_tags(s, stage, POLICY_DATA));
}

void policy_session_message_end(struct policy_session *s)
{
    if (s)
        forget_from(s, POLICY_MAIL);
}

void policy_session_login(struct policy_session *s)
{
    struct policy_tag **at = s ? &s->tags : NULL;
    while (at && *at) {
        struct policy_tag *tag = *at;
        if (tag->rule->all_clients) {
            at = &tag->next;
            continue;
        }
        *at = tag->next;
        tag->next = NULL;
        free_tags(s, tag);
    }
}

void policy_session_free(struct policy_session *s)
{
    if (!s)
        return;
    forget_from(s, POLICY_CONNECT);
    policy_memo_release(s->policy->state, &s->memo);
    policy_rules_unref(s->rules);
    arena_free(s->arena);
    free(s);
}

/* Once a message and rule: of several recipients the first. */
static void add_tag(const struct policy_call *c, const struct policy_verdict *v)
{
    struct policy_session *s = c->session;
    struct str line = v->text;
    struct policy_tag **end = &s->tags;
    for (; *end; end = &(*end)->next)
        if ((*end)->rule == c->rule)
            return;
    if (line.n == 0 || s->tag_count >= POLICY_TAGS_MAX)
        return;
    struct policy_tag *tag = *end = MEM_NEW(struct policy_tag);
    tag->rule = c->rule;
    tag->stage = c->stage;
    tag->line = mem_dup(line.p, line.n);
    s->tag_count++;
}

void policy_session_tags(const struct policy_session *s, struct buf *header)
{
    for (const struct policy_tag *tag = s ? s->tags : NULL; tag; tag = tag->next)
        buf_printf(header, "%s\n", tag->line);
}

/* --- one rule --- */

/* Ours alone: to a postmaster elsewhere a stolen login could send without limit. */
static SUSPENDS bool is_our_role(const struct policy_call *c)
{
    struct str recipient = c->facts->recipient;
    ptrdiff_t at = str_find_last_char(recipient, '@');
    struct str local = at < 0 ? recipient : str_head(recipient, (size_t)at);
    struct domain domain;
    struct err e;
    if (!str_equal_nocase(local, STR("postmaster")) && !str_equal_nocase(local, STR("abuse")))
        return false;
    return at < 0 ||
           directory_find_domain(c->policy->context.directory, str_skip(recipient, (size_t)at + 1),
                                 c->arena, &domain, &e) != LOOKUP_NOT_FOUND;
}

/* NULL: the rule is asked; else why not. */
static const char *spared(const struct policy_rule *r, const struct policy_facts *f, bool trusted)
{
    if (!r->settings->enabled)
        return "not enabled";
    if (!(r->protocols & 1u << f->protocol))
        return "not for this protocol";
    if (!r->all_clients && f->login.n > 0)
        return "the client has logged in";
    if (!r->all_clients && trusted)
        return "the client is trusted";
    return NULL;
}

/* True: *v is what the match wants. */
static SUSPENDS bool ask(struct policy_call *c, enum policy_result *result,
                         struct policy_verdict *v)
{
    *result = c->rule->check->run(c);
    if (*result != POLICY_MATCH)
        return false;
    policy_verdict_make(c, v);
    if (v->action == POLICY_PASS)
        return false;
    if (c->stage == POLICY_RCPT && policy_action_refuses(v->action) && is_our_role(c)) {
        policy_why(c, "postmaster and abuse are never refused");
        return false;
    }
    return true;
}

static void add_field(struct buf *line, const char *name, struct str value)
{
    buf_printf(line, " %s=", name);
    log_add_quoted(line, value);
}

static void add_address(struct buf *line, const char *name, struct str address)
{
    buf_printf(line, " %s=", name);
    log_add_bracketed(line, address);
}

/* One line for each decision:
 *   policy: rule=no-dialups action=reject stage=rcpt peer=192.0.2.1 helo=<x> from=<a> to=<b> ... */
static void log_decision(const struct policy_call *c, const struct policy_verdict *v)
{
    const struct policy_facts *f = c->facts;
    struct buf line = BUF_EMPTY;
    buf_printf(&line, "rule=%s action=%s%s stage=%s peer=%s", v->rule,
               c->rule->settings->dry_run ? "would-" : "", policy_action_name(v->action),
               policy_stage_name(c->stage), f->address);
    if (f->name)
        buf_printf(&line, " name=%s", f->name);
    if (f->helo.p)
        add_address(&line, "helo", f->helo);
    if (f->login.n > 0)
        add_address(&line, "user", f->login);
    if (f->has_sender)
        add_address(&line, "from", f->sender);
    if (f->recipient.p)
        add_address(&line, "to", f->recipient);
    if (v->code > 0)
        buf_printf(&line, " code=%d", v->code);
    if (v->delay > 0)
        buf_printf(&line, " delay=%lldms", (long long)(v->delay / USEC_MSEC));
    if (c->why.n > 0)
        add_field(&line, "reason", c->why);
    log_info(f->component, f->id, "policy: %.*s", STR_ARG(buf_str(&line)));
    buf_free(&line);
}

/* --- the rules of a stage --- */

bool policy_has_rules(const struct policy *p, const struct policy_session *session,
                      enum policy_stage stage, enum service_protocol protocol)
{
    const struct policy_rules *rules = session ? session->rules : p->rules;
    return rules->stages[protocol] & 1u << stage;
}

/* What an accept of this or an earlier stage leaves of the list. */
static size_t asked_before(const struct policy_session *s, enum policy_stage stage)
{
    size_t end = s->rules->count;
    for (int i = 0; i <= (int)stage; i++) {
        bool other_recipient = i == POLICY_RCPT && stage != POLICY_RCPT;
        if (!other_recipient && s->accepted[i] < end)
            end = s->accepted[i];
    }
    return end;
}

/* Takes the decision of a rule; true: no further one is asked. */
static bool decide(struct policy_call *c, struct policy_verdict *found, struct policy_verdict *v)
{
    log_decision(c, found);
    if (c->rule->settings->dry_run)
        return false;
    usec delay = v->delay > found->delay ? v->delay : found->delay;
    *v = *found;
    v->delay = delay;
    if (found->action == POLICY_TAG) {
        add_tag(c, found);
        return false;
    }
    if (found->action == POLICY_ACCEPT)
        c->session->accepted[c->stage] = c->rule->place;
    return true;
}

static SUSPENDS void ask_rules(struct policy_session *s, enum policy_stage stage,
                               const struct policy_facts *facts, bool trusted, struct arena *a,
                               struct policy_verdict *v)
{
    size_t end = asked_before(s, stage);
    for (size_t i = 0; i < end; i++) {
        struct policy_rule *r = &s->rules->list[i];
        struct policy_verdict found;
        enum policy_result result;
        if (r->at != stage || spared(r, facts, trusted))
            continue;
        struct policy_call c = {.policy = s->policy,
                                .session = s,
                                .rule = r,
                                .stage = stage,
                                .facts = facts,
                                .arena = a};
        bool matched = ask(&c, &result, &found);
        r->asked++;
        r->matched += matched;
        if (result == POLICY_UNKNOWN)
            log_info(facts->component, facts->id,
                     "policy cannot tell rule=%s peer=%s reason=\"%.*s\"", r->settings->name,
                     facts->address, STR_ARG(c.why));
        if (matched && decide(&c, &found, v))
            return;
    }
}

/* A name that is refused changes nothing (RFC 5321 4.1.4): what was found about the one before
 * holds, and so does what was found about the message under way. */
static SUSPENDS void ask_helo_rules(struct policy_session *s, const struct policy_facts *facts,
                                    bool trusted, struct arena *a, struct policy_verdict *v)
{
    struct policy_tag *tags = take_tags(s, POLICY_HELO, POLICY_HELO);
    size_t accepted = s->accepted[POLICY_HELO];
    s->accepted[POLICY_HELO] = SIZE_MAX;
    ask_rules(s, POLICY_HELO, facts, trusted, a, v);
    if (!policy_action_refuses(v->action)) {
        free_tags(s, tags);
        return;
    }
    free_tags(s, take_tags(s, POLICY_HELO, POLICY_HELO));
    s->accepted[POLICY_HELO] = accepted;
    struct policy_tag **end = &s->tags;
    while (*end)
        end = &(*end)->next;
    *end = tags;
}

void policy_check(struct policy *p, struct policy_session **session, enum policy_stage stage,
                  const struct policy_facts *facts, struct arena *a, struct policy_verdict *v)
{
    *v = (struct policy_verdict){0};
    if (!policy_has_rules(p, *session, stage, facts->protocol))
        return;
    const struct policy_rules *rules = *session ? (*session)->rules : p->rules;
    bool trusted = policy_rules_trust(rules, facts->address);
    bool only_strangers = !(rules->stages_for_all[facts->protocol] & 1u << stage);
    if (!*session && only_strangers && (trusted || facts->login.n > 0))
        return;
    if (!*session)
        *session = policy_session_new(p);
    struct policy_session *s = *session;
    if (stage == POLICY_HELO) {
        ask_helo_rules(s, facts, trusted, a, v);
        return;
    }
    if (stage == POLICY_RCPT)
        s->accepted[POLICY_RCPT] = SIZE_MAX; /* tags of other recipients stay */
    else
        forget_from(s, stage);
    ask_rules(s, stage, facts, trusted, a, v);
}

/* --- rule by rule, for mailctl policy test --- */

static bool is_known(const struct policy_rule *r, const struct policy_facts *f)
{
    return !(r->at >= POLICY_HELO && !f->helo.p) && !(r->at >= POLICY_MAIL && !f->has_sender) &&
           !(r->at == POLICY_RCPT && !f->recipient.p) && !(r->check->header && !f->header);
}

static SUSPENDS void explain_rule(struct policy *p, struct policy_session *s, struct policy_rule *r,
                                  const struct policy_facts *f, struct arena *a,
                                  struct policy_finding *finding)
{
    struct policy_call c = {.policy = p,
                            .session = s,
                            .rule = r,
                            .stage = r->at,
                            .facts = f,
                            .arena = a,
                            .explain = true};
    enum policy_result result;
    *finding = (struct policy_finding){.rule = arena_c(a, str_from_c(r->settings->name)),
                                       .check = r->check->name,
                                       .stage = r->at,
                                       .dry_run = r->settings->dry_run};
    finding->result = spared(r, f, policy_rules_trust(s->rules, f->address));
    if (!finding->result && !is_known(r, f))
        finding->result = "not known yet";
    if (finding->result)
        return;
    bool matched = ask(&c, &result, &finding->verdict);
    finding->result = matched                    ? "match"
                      : result == POLICY_UNKNOWN ? "cannot tell"
                      : result == POLICY_MATCH   ? "excepted"
                                                 : "no match";
    if (!matched)
        finding->verdict = (struct policy_verdict){0};
    finding->verdict.rule = matched ? finding->rule : NULL;
    finding->why = c.why;
}

/* The rules in the order in which a session would meet them. */
static void find_decision(struct policy_session *s, struct policy_finding *list)
{
    for (int stage = 0; stage < POLICY_STAGES; stage++) {
        size_t end = asked_before(s, (enum policy_stage)stage);
        for (size_t i = 0; i < end; i++) {
            struct policy_finding *f = &list[i];
            if ((int)f->stage != stage)
                continue;
            f->reached = true;
            if (!f->verdict.rule || f->dry_run)
                continue;
            if (f->verdict.action == POLICY_ACCEPT) {
                s->accepted[stage] = i;
                f->decides = true;
                break;
            }
            if (policy_action_refuses(f->verdict.action)) {
                f->decides = true;
                return;
            }
        }
    }
}

void policy_explain(struct policy *p, const struct policy_facts *facts, struct arena *a,
                    struct policy_finding **list, size_t *count)
{
    struct policy_session *s = policy_session_new(p);
    *count = s->rules->count;
    *list = arena_array(a, *count + 1, sizeof(**list));
    for (size_t i = 0; i < *count; i++)
        explain_rule(p, s, &s->rules->list[i], facts, a, &(*list)[i]);
    find_decision(s, *list);
    policy_session_free(s);
}
