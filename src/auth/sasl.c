/*
 * SASL (RFC 4422) exchanges. A table has all mechanisms; those of libsasl2 run in sasl_library.c,
 * which other files prepare (secrets, channel binding, Kerberos, certificates), our own beside it.
 *
 * What is common stands here: which mechanisms a peer is offered, how many and how long responses
 * may be, and what follows from a result. A mechanism only finds out who somebody is. Whether that
 * account may log in, and may be whom it wants to be (auth_master.c), is asked as soon as the proof
 * is there, before the client hears of it: SCRAM's server has a last word of its own, and it must
 * not be a yes to somebody who is refused.
 *
 * All refusals look the same and come at the same time after the beginning of the exchange.
 */
#include "auth/sasl_internal.h"

#include "core/mem.h"

#include <assert.h>
#include <stdlib.h>

static bool always(const struct auth *a, const struct auth_peer *peer)
{
    (void)a;
    (void)peer;
    return true;
}

static const struct sasl_mechanism mechanisms[] = {
    {.name = "PLAIN",
     .response_max = SASL_RESPONSE_MAX,
     .steps_max = 1,
     .available = always,
     .step = sasl_library_step},
    {.name = "LOGIN",
     .response_max = SASL_RESPONSE_MAX,
     .steps_max = 3,
     .no_nul = true, /* libsasl2 would cut "alice\0..." to "alice" */
     .available = always,
     .step = sasl_library_step},
    {.name = "SCRAM-SHA-256-PLUS",
     .response_max = SASL_RESPONSE_MAX,
     .steps_max = 3,
     .digest = "SCRAM-SHA-256",
     .secret = "*authPassword",
     .guesses = true,
     .binds = true,
     .available = sasl_binding_available,
     .step = sasl_scram_step},
    {.name = "SCRAM-SHA-256",
     .response_max = SASL_RESPONSE_MAX,
     .steps_max = 3,
     .digest = "SCRAM-SHA-256",
     .secret = "*authPassword",
     .guesses = true,
     .available = sasl_secrets_held,
     .step = sasl_scram_step},
    {.name = "SCRAM-SHA-1-PLUS",
     .response_max = SASL_RESPONSE_MAX,
     .steps_max = 3,
     .digest = "SCRAM-SHA-1",
     .secret = "*authPassword",
     .guesses = true,
     .binds = true,
     .available = sasl_binding_available,
     .step = sasl_scram_step},
    {.name = "SCRAM-SHA-1",
     .response_max = SASL_RESPONSE_MAX,
     .steps_max = 3,
     .digest = "SCRAM-SHA-1",
     .secret = "*authPassword",
     .guesses = true,
     .available = sasl_secrets_held,
     .step = sasl_scram_step},
    {.name = "CRAM-MD5",
     .response_max = SASL_RESPONSE_MAX,
     .steps_max = 1,
     .secret = "*cmusaslsecretCRAM-MD5",
     .guesses = true,
     .no_nul = true,
     .available = sasl_secrets_held,
     .step = sasl_library_step},
    {.name = "GSSAPI",
     .response_max = SASL_TICKET_MAX,
     .steps_max = 5,
     .worker = true,
     .available = sasl_kerberos_available,
     .step = sasl_kerberos_step},
    {.name = "GSS-SPNEGO",
     .response_max = SASL_TICKET_MAX,
     .steps_max = 5,
     .worker = true,
     .available = sasl_kerberos_available,
     .step = sasl_kerberos_step},
    {.name = "EXTERNAL",
     .response_max = SASL_RESPONSE_MAX,
     .steps_max = 1,
     .no_nul = true,
     .available = sasl_external_available,
     .step = sasl_external_step},
    {.name = "OAUTHBEARER",
     .response_max = SASL_RESPONSE_MAX,
     .steps_max = 2,
     .available = sasl_tokens_are_taken,
     .step = sasl_oauth_step},
    {.name = "XOAUTH2",
     .response_max = SASL_RESPONSE_MAX,
     .steps_max = 2,
     .available = sasl_tokens_are_taken,
     .step = sasl_oauth_step},
};

#define MECHANISMS (sizeof(mechanisms) / sizeof(*mechanisms))

/* --- what is offered --- */

bool sasl_name_is_known(struct str name)
{
    for (size_t i = 0; i < MECHANISMS; i++)
        if (str_equal_nocase(name, str_from_c(mechanisms[i].name)))
            return true;
    return false;
}

/* CRAM-MD5 is weak. What binds to the channel fails with clients that choose it and then have no
 * tls-exporter (GNU SASL in mutt 2.2), and the user has no way around: who has better ones names
 * it.
 */
static bool is_only_for_the_asking(const char *name)
{
    static const char *const names[] = {"CRAM-MD5", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

bool sasl_is_wanted(const struct auth *a, const char *name)
{
    const struct string_list *wanted = &a->settings.mechanisms;
    for (size_t i = 0; i < wanted->count; i++)
        if (str_equal_nocase(str_from_c(name), str_from_c(wanted->items[i])))
            return true;
    return wanted->count == 0 && !is_only_for_the_asking(name);
}

static bool is_offered(const struct auth *a, const struct auth_peer *peer,
                       const struct sasl_mechanism *m)
{
    return peer->secure && sasl_is_wanted(a, m->name) && m->available(a, peer);
}

bool sasl_offers_binding(const struct auth *a, const struct auth_peer *peer, const char *digest)
{
    for (size_t i = 0; i < MECHANISMS; i++)
        if (mechanisms[i].binds && strcmp(mechanisms[i].digest, digest) == 0)
            return is_offered(a, peer, &mechanisms[i]);
    return false;
}

static char *write_offer(size_t offered)
{
    struct buf text = BUF_EMPTY;
    for (size_t i = 0; i < MECHANISMS; i++)
        if (offered & (size_t)1 << i)
            buf_printf(&text, "%s%s", text.n > 0 ? " " : "", mechanisms[i].name);
    char *copy = mem_dup(buf_c(&text), text.n);
    buf_free(&text);
    return copy;
}

/* There are never as many different ones as places. */
static const char *find_offer(struct auth *a, size_t offered)
{
    size_t i = 0;
    while (i < SASL_OFFERS - 1 && a->sasl.offers[i].text && a->sasl.offers[i].set != offered)
        i++;
    if (a->sasl.offers[i].text && a->sasl.offers[i].set != offered) {
        free(a->sasl.offers[i].text);
        a->sasl.offers[i].text = NULL;
    }
    if (!a->sasl.offers[i].text) {
        a->sasl.offers[i].set = offered;
        a->sasl.offers[i].text = write_offer(offered);
    }
    return a->sasl.offers[i].text;
}

const char *sasl_mechanisms(struct auth *a, const struct auth_peer *peer)
{
    size_t offered = 0;
    for (size_t m = 0; m < MECHANISMS; m++)
        offered |= (size_t)is_offered(a, peer, &mechanisms[m]) << m;
    return find_offer(a, offered);
}

const char *sasl_mechanisms_of(struct auth *a, const char *service, bool tls, bool certificates)
{
    const struct auth_peer peer = {.service = service, .secure = true};
    size_t offered = 0;
    for (size_t i = 0; i < MECHANISMS; i++) {
        const struct sasl_mechanism *m = &mechanisms[i];
        bool available = m->binds ? tls && sasl_secrets_held(a, &peer)
                         : m->available == sasl_external_available ? certificates
                                                                   : m->available(a, &peer);
        offered |= (size_t)(available && sasl_is_wanted(a, m->name)) << i;
    }
    return find_offer(a, offered);
}

/* --- an exchange --- */

struct sasl *sasl_new(struct auth *a, const struct auth_peer *peer)
{
    struct arena *arena = arena_new();
    arena_hold_secrets(arena);
    struct sasl *s = ARENA_NEW(arena, struct sasl);
    s->arena = arena;
    s->auth = a;
    s->peer = *peer;
    s->user = s->as = STR("");
    return s;
}

void sasl_free(struct sasl *s)
{
    if (!s)
        return;
    sasl_library_end(s);
    arena_free(s->arena);
}

static enum sasl_status fail(struct sasl *s, struct err *e)
{
    sasl_library_end(s);
    auth_fail(s->auth, &s->peer, s->user, s->mechanism->name, s->begun, e);
    return SASL_STATUS_FAILED;
}

bool sasl_find_account(struct sasl *s, struct str login, struct err *e)
{
    struct err why = {0};
    switch (directory_find_login(s->auth->directory, login, s->arena, &s->account, &why)) {
    case LOOKUP_FOUND:
        return true;
    case LOOKUP_NOT_FOUND:
        return err_set(e, ERR_DENIED, "unknown_user");
    case LOOKUP_TEMPFAIL:
        break;
    }
    return err_set(e, why.kind == ERR_CANCELLED ? ERR_CANCELLED : ERR_TEMP, "%s", why.text);
}

/* LOGIN cannot be told apart from a guess before its last step, others when they are proved. */
static bool settle(struct sasl *s, struct err *e)
{
    s->settled = true;
    return auth_become(s->auth, &s->peer, s->as, s->arena, &s->account, s->mechanism->name, e);
}

/* A wrong proof, not one that was never looked at. */
static void count_guess(struct sasl *s)
{
    struct str login, as;
    if (!s->secret.p || s->locked_out)
        return;
    auth_split_login(s->auth, s->user, &login, &as);
    guard_count(s->auth, &s->peer, login);
}

/* Many exchanges may have begun before the first of them failed: asked again for each proof. */
static bool may_go_on(struct sasl *s, struct err *e)
{
    struct str login, as;
    if (!s->mechanism->guesses || !s->secret.p || s->locked_out)
        return true;
    auth_split_login(s->auth, s->user, &login, &as);
    s->locked_out = !auth_may_try(s->auth, &s->peer, login, e);
    return !s->locked_out;
}

static enum sasl_status take(struct sasl *s, struct str response, struct str *challenge,
                             struct err *e)
{
    const struct sasl_mechanism *m = s->mechanism;
    s->steps += response.p != NULL;
    s->received += response.n;
    if (response.n > m->response_max || s->steps > m->steps_max ||
        (m->no_nul && response.n > 0 && memchr(response.p, '\0', response.n))) {
        err_set(e, ERR_SYNTAX, "malformed");
        return fail(s, e);
    }
    if (!may_go_on(s, e))
        return fail(s, e);
    enum sasl_status status = m->step(s, response, challenge, e);
    if (status == SASL_STATUS_FAILED && e->kind == ERR_DENIED && m->guesses)
        count_guess(s);
    if (status == SASL_STATUS_FAILED || (s->proved && !s->settled && !settle(s, e)))
        return fail(s, e);
    if (status == SASL_STATUS_CONTINUE) {
        *challenge = arena_str(s->arena, *challenge);
        return status;
    }
    assert(s->settled);
    sasl_library_end(s);
    s->done = true;
    return SASL_STATUS_DONE;
}

enum sasl_status sasl_start(struct sasl *s, struct str mechanism, struct str initial,
                            struct str *challenge, struct err *e)
{
    struct err why;
    size_t i;
    if (!e)
        e = &why;
    assert(!s->mechanism);
    for (i = 0; i < MECHANISMS; i++)
        if (str_equal_nocase(mechanism, str_from_c(mechanisms[i].name)) &&
            is_offered(s->auth, &s->peer, &mechanisms[i]))
            break;
    if (i == MECHANISMS) {
        err_set(e, ERR_NOT_FOUND, "the mechanism is not available");
        return SASL_STATUS_FAILED;
    }
    s->mechanism = &mechanisms[i];
    s->begun = clock_monotonic();
    return take(s, initial, challenge, e);
}

enum sasl_status sasl_step(struct sasl *s, struct str response, struct str *challenge,
                           struct err *e)
{
    struct err why;
    assert(s->mechanism && !s->done);
    return take(s, response.p ? response : STR(""), challenge, e ? e : &why);
}

size_t sasl_response_max(const struct sasl *s)
{
    return s->mechanism->response_max;
}

const struct account *sasl_account(const struct sasl *s)
{
    assert(s->done);
    return &s->account;
}

const char *sasl_mechanism(const struct sasl *s)
{
    return s->mechanism ? s->mechanism->name : "-";
}
