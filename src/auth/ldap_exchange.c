/*
 * What is sent for a request, and what its answers mean (RFC 4511). What a server says of accounts
 * is certain only when it is whole: a result other than success, an answer that was cut by some
 * limit, or more entries than are wanted is "cannot be told now", never a shorter list.
 *
 * noSuchObject is an answer where one entry was asked for by name. Of the base of a subtree it
 * means a wrong setting or missing rights, and everybody would be unknown: that is no answer.
 */
#include "auth/ldap_exchange.h"

#include "auth/ldap_reason.h"
#include "core/mem.h"

#include <stdlib.h>

static struct berval berval_of(struct str s)
{
    return (struct berval){.bv_len = s.n, .bv_val = (char *)(s.p ? s.p : "")};
}

/* --- sending --- */

static int send_search(LDAP *ld, struct ldap_request *r)
{
    static const int scopes[] = {[LDAP_ENTRY_ONLY] = LDAP_SCOPE_BASE,
                                 [LDAP_ONE_LEVEL] = LDAP_SCOPE_ONELEVEL,
                                 [LDAP_SUBTREE] = LDAP_SCOPE_SUBTREE};
    const struct ldap_question *q = &r->question;
    LDAPControl *page = NULL, *controls[] = {NULL, NULL};
    usec left = r->deadline - clock_monotonic();
    struct timeval limit = {.tv_sec = left > USEC_SEC ? (left + USEC_SEC - 1) / USEC_SEC : 1};
    if (q->page > 0) {
        struct berval cookie = berval_of(r->cookie);
        int rc = ldap_create_page_control(ld, (ber_int_t)q->page, &cookie, 1, &page);
        if (rc != LDAP_SUCCESS)
            return rc;
        controls[0] = page;
    }
    /* One more than wanted shows that there are more. */
    int size = q->page > 0 || q->entries_max >= INT32_MAX ? 0 : (int)q->entries_max + 1;
    int rc = ldap_search_ext(ld, q->dn.p, scopes[q->scope], q->filter.p, (char **)q->attributes, 0,
                             controls, NULL, &limit, size, &r->id);
    if (page)
        ldap_control_free(page);
    return rc;
}

static int send_bind(LDAP *ld, struct ldap_request *r, struct str password)
{
    struct berval secret = berval_of(password);
    LDAPControl *policy = NULL, *controls[] = {NULL, NULL};
    if (ldap_create_passwordpolicy_control(ld, &policy) == LDAP_SUCCESS)
        controls[0] = policy;
    int rc =
        ldap_sasl_bind(ld, r->question.dn.p, LDAP_SASL_SIMPLE, &secret, controls, NULL, &r->id);
    if (policy)
        ldap_control_free(policy);
    return rc;
}

static int send_password(LDAP *ld, struct ldap_request *r)
{
    struct berval user = berval_of(r->question.dn), old = berval_of(r->question.old),
                  new = berval_of(r->question.secret);
    return ldap_passwd(ld, &user, r->question.old.p ? &old : NULL, &new, NULL, NULL, &r->id);
}

static int send_replace(LDAP *ld, struct ldap_request *r)
{
    const struct ldap_question *q = &r->question;
    struct berval old = berval_of(q->old), new = berval_of(q->secret);
    struct berval *olds[] = {&old, NULL}, *news[] = {&new, NULL};
    char *name = (char *)q->attributes[0];
    LDAPMod take = {LDAP_MOD_DELETE | LDAP_MOD_BVALUES, name, {.modv_bvals = olds}};
    LDAPMod put = {LDAP_MOD_ADD | LDAP_MOD_BVALUES, name, {.modv_bvals = news}};
    LDAPMod set = {LDAP_MOD_REPLACE | LDAP_MOD_BVALUES, name, {.modv_bvals = news}};
    LDAPMod *change[] = {&take, &put, NULL}, *replace[] = {&set, NULL};
    return ldap_modify_ext(ld, q->dn.p, q->old.p ? change : replace, NULL, NULL, &r->id);
}

static int send_next(LDAP *ld, struct ldap_request *r)
{
    switch (r->question.operation) {
    case LDAP_OPERATION_SEARCH:
        return send_search(ld, r);
    case LDAP_OPERATION_BIND:
        return send_bind(ld, r, r->question.secret);
    case LDAP_OPERATION_PASSWORD_MODIFY:
        if (r->question.old.p && !r->bound)
            return send_bind(ld, r, r->question.old);
        return send_password(ld, r);
    case LDAP_OPERATION_REPLACE:
        return send_replace(ld, r);
    }
    return LDAP_OTHER;
}

bool ldap_exchange_send(struct ldap_connection *c, struct ldap_request *r, struct err *e)
{
    r->id = 0;
    if (r->question.wants_encryption && !c->encrypted) {
        ldap_request_fail(r, ERR_PERM,
                          "%s: passwords are set over encrypted connections only: use starttls or "
                          "ldaps://",
                          r->server);
        return true;
    }
    int rc = send_next(c->ld, r);
    if (rc == LDAP_SUCCESS)
        return true;
    r->id = 0;
    if (rc == LDAP_SERVER_DOWN || rc == LDAP_TIMEOUT || rc == LDAP_CONNECT_ERROR)
        return err_set(e, ERR_CLOSED, "the server closed the connection");
    /* What it says is of the question: a filter that is none, a DN. */
    ldap_request_fail(r, ERR_PERM, "%s: cannot be asked: %s", r->server, ldap_err2string(rc));
    return true;
}

/* --- entries --- */

static bool charge(struct ldap_request *r, size_t bytes, size_t room)
{
    r->bytes += bytes;
    return r->bytes <= room;
}

static struct str keep(struct arena *a, const struct berval *v)
{
    return arena_str(a, str_from(v->bv_val ? v->bv_val : "", v->bv_len));
}

static bool take_attribute(struct ldap_request *r, struct ldap_attribute *to,
                           const struct berval *name, const struct berval *values, size_t room)
{
    size_t n = 0, bytes = name->bv_len + sizeof(*to);
    for (; values && values[n].bv_val; n++)
        bytes += values[n].bv_len + sizeof(struct str) + 1;
    if (!charge(r, bytes, room))
        return false;
    to->name = keep(r->result, name);
    to->values = arena_array(r->result, n ? n : 1, sizeof(struct str));
    to->count = n;
    for (size_t i = 0; i < n; i++)
        to->values[i] = keep(r->result, &values[i]);
    return true;
}

/* False: too large, or (*bad) malformed. */
static bool take_attributes(LDAP *ld, struct ldap_request *r, LDAPMessage *message, BerElement *ber,
                            struct ldap_entry *entry, size_t room, bool *bad)
{
    size_t capacity = 0;
    for (;;) {
        struct berval name = {0}, *values = NULL;
        if (ldap_get_attribute_ber(ld, message, ber, &name, &values) != LDAP_SUCCESS) {
            *bad = true;
            return false;
        }
        if (!name.bv_val) {
            ber_memfree(values);
            return true;
        }
        entry->attributes = arena_grow(r->result, entry->attributes, entry->count, &capacity,
                                       sizeof(*entry->attributes), 8);
        bool ok = take_attribute(r, &entry->attributes[entry->count++], &name, values, room);
        ber_memfree(values);
        if (!ok)
            return false;
    }
}

static struct ldap_entry *new_entry(struct ldap_request *r)
{
    r->list = mem_grow(r->list, r->count, &r->room, sizeof(*r->list), 4);
    struct ldap_entry *entry = &r->list[r->count++];
    *entry = (struct ldap_entry){0};
    return entry;
}

static enum ldap_exchange_status take_entry(struct ldap_connection *c, struct ldap_request *r,
                                            LDAPMessage *message, size_t room)
{
    BerElement *ber = NULL;
    struct berval dn = {0};
    bool bad = false;
    if (++r->seen > r->question.entries_max) {
        ldap_request_fail(r, ERR_TEMP, "%s: more than %zu entries", r->server,
                          r->question.entries_max);
        return LDAP_EXCHANGE_STOP;
    }
    if (!r->result)
        r->result = arena_new();
    if (ldap_get_dn_ber(c->ld, message, &ber, &dn) != LDAP_SUCCESS || !ber) {
        ber_free(ber, 0);
        return LDAP_EXCHANGE_BAD;
    }
    struct ldap_entry *entry = new_entry(r);
    bool ok = charge(r, dn.bv_len + sizeof(*entry), room);
    if (ok) {
        entry->dn = keep(r->result, &dn);
        ok = take_attributes(c->ld, r, message, ber, entry, room, &bad);
    }
    ber_free(ber, 0);
    if (bad)
        return LDAP_EXCHANGE_BAD;
    if (ok)
        return LDAP_EXCHANGE_MORE;
    ldap_request_fail(r, ERR_TEMP, "%s: the answer is too large", r->server);
    return LDAP_EXCHANGE_STOP;
}

/* --- results --- */

struct result {
    int code;
    char *text;
    LDAPControl **controls;
};

static bool parse_result(struct ldap_connection *c, LDAPMessage *message, struct result *result)
{
    *result = (struct result){.code = LDAP_OTHER};
    return ldap_parse_result(c->ld, message, &result->code, NULL, &result->text, NULL,
                             &result->controls, 0) == LDAP_SUCCESS;
}

static void result_free(struct result *result)
{
    ldap_memfree(result->text);
    ldap_controls_free(result->controls);
}

/* Sets answer and error from a result that is none to the question. */
static enum ldap_exchange_status no_answer(struct ldap_request *r, const struct result *result,
                                           enum err_kind kind, const char *what)
{
    char said[160];
    struct str secret = r->question.secret.n > 0 ? r->question.secret : r->question.old;
    ldap_reason_text(str_from_c(result->text), secret, said, sizeof(said));
    ldap_request_fail(r, kind, "%s: %s: %s (%d)%s%s", r->server, what,
                      ldap_err2string(result->code), result->code, said[0] ? ": " : "", said);
    if (result->code == LDAP_BUSY || result->code == LDAP_UNAVAILABLE)
        return LDAP_EXCHANGE_RETRY;
    return LDAP_EXCHANGE_OVER;
}

/* False: malformed. The cookie of the next page, if there is one. */
static bool take_cookie(struct ldap_connection *c, struct ldap_request *r,
                        const struct result *result)
{
    struct berval cookie = {0};
    ber_int_t total;
    LDAPControl *control = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, result->controls, NULL);
    free((char *)r->cookie.p);
    r->cookie = (struct str){0};
    if (!control) /* the server has no pages: that was all */
        return true;
    if (ldap_parse_pageresponse_control(c->ld, control, &total, &cookie) != LDAP_SUCCESS)
        return false;
    if (cookie.bv_len > 0)
        r->cookie = (struct str){mem_dup(cookie.bv_val, cookie.bv_len), cookie.bv_len};
    ldap_memfree(cookie.bv_val);
    return true;
}

static enum ldap_exchange_status end_search(struct ldap_connection *c, struct ldap_request *r,
                                            const struct result *result)
{
    if (result->code == LDAP_NO_SUCH_OBJECT && r->question.scope == LDAP_ENTRY_ONLY) {
        r->answer = LOOKUP_NOT_FOUND;
        return LDAP_EXCHANGE_OVER;
    }
    if (result->code != LDAP_SUCCESS)
        return no_answer(r, result, ERR_TEMP, "search");
    if (r->question.page > 0 && !take_cookie(c, r, result))
        return LDAP_EXCHANGE_BAD;
    if (r->cookie.n > 0)
        return r->question.stream ? LDAP_EXCHANGE_PAGE : LDAP_EXCHANGE_NEXT;
    r->answer = r->seen > 0 ? LOOKUP_FOUND : LOOKUP_NOT_FOUND;
    return LDAP_EXCHANGE_OVER;
}

/* Of the password policy's response; -1: it says nothing. */
static int policy_error(struct ldap_connection *c, const struct result *result)
{
    ber_int_t expires, grace;
    LDAPPasswordPolicyError error = PP_noError;
    LDAPControl *control =
        ldap_control_find(LDAP_CONTROL_PASSWORDPOLICYRESPONSE, result->controls, NULL);
    if (!control ||
        ldap_parse_passwordpolicy_control(c->ld, control, &expires, &grace, &error) != LDAP_SUCCESS)
        return -1;
    return error == PP_noError ? -1 : (int)error;
}

static enum ldap_exchange_status end_bind(struct ldap_connection *c, struct ldap_request *r,
                                          const struct result *result)
{
    const char *reason =
        ldap_reason_of(result->code, policy_error(c, result), str_from_c(result->text));
    if (!reason && result->code != LDAP_SUCCESS)
        return no_answer(r, result, ERR_TEMP, "login");
    r->answer = reason ? LOOKUP_NOT_FOUND : LOOKUP_FOUND;
    if (reason)
        err_set(&r->error, ERR_DENIED, "%s", reason);
    return LDAP_EXCHANGE_OVER;
}

/* An operator may be told what the server's rules are. */
static enum ldap_exchange_status end_change(struct ldap_connection *c, struct ldap_request *r,
                                            const struct result *result)
{
    int policy = policy_error(c, result);
    struct str text = str_from_c(result->text);
    switch (result->code) {
    case LDAP_SUCCESS:
        r->answer = LOOKUP_FOUND;
        return LDAP_EXCHANGE_OVER;
    case LDAP_NO_SUCH_OBJECT:
        return no_answer(r, result, ERR_NOT_FOUND, "password change");
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_NO_SUCH_ATTRIBUTE: /* the old value is another */
        return no_answer(r, result, ERR_DENIED, "password change");
    case LDAP_CONSTRAINT_VIOLATION: /* 56: Windows' "the network password is not correct" */
        return no_answer(r, result, str_starts_with(text, STR("00000056")) ? ERR_DENIED : ERR_PERM,
                         policy >= 0 ? ldap_passwordpolicy_err2txt((LDAPPasswordPolicyError)policy)
                                     : "password change");
    case LDAP_BUSY:
    case LDAP_UNAVAILABLE:
    case LDAP_OPERATIONS_ERROR:
    case LDAP_OTHER:
        return no_answer(r, result, ERR_TEMP, "password change");
    default:
        return no_answer(r, result, ERR_PERM, "password change");
    }
}

/* A user who changes his password logs in first, with the old one; that he must change it, or could
 * not log in with it any more, does not matter if the server lets him. */
static enum ldap_exchange_status end_own_bind(struct ldap_connection *c, struct ldap_request *r,
                                              const struct result *result)
{
    r->bound = true;
    if (result->code == LDAP_SUCCESS)
        return LDAP_EXCHANGE_NEXT;
    enum ldap_exchange_status status = end_bind(c, r, result);
    if (r->answer == LOOKUP_NOT_FOUND)
        r->answer = LOOKUP_TEMPFAIL; /* a change knows no such answer; the error's kind says it */
    return status;
}

static enum ldap_exchange_status take_result(struct ldap_connection *c, struct ldap_request *r,
                                             const struct result *result, int type)
{
    switch (r->question.operation) {
    case LDAP_OPERATION_SEARCH:
        return type == LDAP_RES_SEARCH_RESULT ? end_search(c, r, result) : LDAP_EXCHANGE_BAD;
    case LDAP_OPERATION_BIND:
        return type == LDAP_RES_BIND ? end_bind(c, r, result) : LDAP_EXCHANGE_BAD;
    case LDAP_OPERATION_PASSWORD_MODIFY:
        if (r->question.old.p && !r->bound)
            return type == LDAP_RES_BIND ? end_own_bind(c, r, result) : LDAP_EXCHANGE_BAD;
        return type == LDAP_RES_EXTENDED ? end_change(c, r, result) : LDAP_EXCHANGE_BAD;
    case LDAP_OPERATION_REPLACE:
        return type == LDAP_RES_MODIFY ? end_change(c, r, result) : LDAP_EXCHANGE_BAD;
    }
    return LDAP_EXCHANGE_BAD;
}

enum ldap_exchange_status ldap_exchange_take(struct ldap_connection *c, struct ldap_request *r,
                                             LDAPMessage *message, size_t room)
{
    struct result result;
    int type = ldap_msgtype(message);
    bool searching = r->question.operation == LDAP_OPERATION_SEARCH;
    if (type == LDAP_RES_SEARCH_ENTRY)
        return searching ? take_entry(c, r, message, room) : LDAP_EXCHANGE_BAD;
    if (type == LDAP_RES_SEARCH_REFERENCE || type == LDAP_RES_INTERMEDIATE)
        return LDAP_EXCHANGE_MORE;
    enum ldap_exchange_status status = LDAP_EXCHANGE_BAD;
    if (parse_result(c, message, &result))
        status = take_result(c, r, &result, type);
    result_free(&result);
    return status;
}
