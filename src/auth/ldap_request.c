/*
 * Requests live in heap memory of their own and hold copies of everything, so that a thread which
 * comes back after minutes finds what it works on.
 */
#include "auth/ldap_request.h"

#include "core/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct ldap_request *ldap_request_new(enum ldap_operation operation)
{
    struct ldap_request *r = MEM_NEW(struct ldap_request);
    r->references = 1;
    r->arena = arena_new();
    r->question.operation = operation;
    r->begun = clock_monotonic();
    r->answer = LOOKUP_TEMPFAIL;
    return r;
}

struct ldap_request *ldap_request_ref(struct ldap_request *r)
{
    atomic_fetch_add(&r->references, 1);
    return r;
}

static void wipe(struct str *secret)
{
    if (secret->p)
        explicit_bzero((char *)secret->p, secret->n);
}

void ldap_request_unref(struct ldap_request *r)
{
    if (!r || atomic_fetch_sub(&r->references, 1) > 1)
        return;
    wipe(&r->question.secret);
    wipe(&r->question.old);
    ldap_request_clear_result(r);
    arena_free(r->result);
    arena_free(r->arena);
    free(r->list);
    free((char *)r->cookie.p);
    free(r);
}

struct str ldap_request_secret(struct ldap_request *r, struct str secret)
{
    return secret.p ? arena_str(r->arena, secret) : (struct str){0};
}

void ldap_request_clear_result(struct ldap_request *r)
{
    if (r->result)
        arena_reset(r->result);
    r->count = 0;
    r->bytes = 0;
}

void ldap_request_fail(struct ldap_request *r, enum err_kind kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    r->error.kind = kind;
    vsnprintf(r->error.text, sizeof(r->error.text), format, args);
    va_end(args);
    r->answer = LOOKUP_TEMPFAIL;
}
