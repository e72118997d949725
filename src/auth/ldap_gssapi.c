/*
 * Kerberos for the service account. A ticket is got with the keytab into a cache in memory that is
 * this thread's alone (gss_krb5_ccache_name), so the environment, which other threads read, stays
 * as it is, and a key that was changed is used with the next connection. libsasl2 finds the cache,
 * and libldap puts its security layer under the connection; inside TLS there is none, as Active
 * Directory refuses that.
 */
#include "auth/ldap_connection.h"

#include "auth/ldap_reason.h"

#include <gssapi/gssapi_krb5.h>
#include <krb5.h>
#include <sasl/sasl.h>
#include <stdio.h>

struct ticket {
    krb5_context context;
    krb5_keytab keytab;
    krb5_principal principal;
    krb5_ccache cache;
    char name[64]; /* of the cache */
};

static bool kerberos_failed(struct ticket *t, krb5_error_code code, const char *what, struct err *e)
{
    char said[200];
    const char *text = krb5_get_error_message(t->context, code);
    ldap_reason_text(str_from_c(text), (struct str){0}, said, sizeof(said));
    krb5_free_error_message(t->context, text);
    return err_set(e, ERR_DENIED, "Kerberos: %s: %s", what, said);
}

static krb5_error_code find_principal(struct ticket *t, const char *name)
{
    krb5_kt_cursor cursor;
    krb5_keytab_entry entry;
    if (name[0])
        return krb5_parse_name(t->context, name, &t->principal);
    krb5_error_code code = krb5_kt_start_seq_get(t->context, t->keytab, &cursor);
    if (code)
        return code;
    code = krb5_kt_next_entry(t->context, t->keytab, &entry, &cursor);
    if (!code) {
        code = krb5_copy_principal(t->context, entry.principal, &t->principal);
        krb5_free_keytab_entry_contents(t->context, &entry);
    }
    krb5_kt_end_seq_get(t->context, t->keytab, &cursor);
    return code;
}

static bool get_ticket(struct ticket *t, const struct ldap_connection_settings *s, struct err *e)
{
    krb5_creds credentials = {0};
    krb5_error_code code = krb5_kt_resolve(t->context, s->keytab, &t->keytab);
    if (!code)
        code = find_principal(t, s->principal);
    if (code)
        return kerberos_failed(t, code, s->keytab, e);
    code = krb5_get_init_creds_keytab(t->context, &credentials, t->principal, t->keytab, 0, NULL,
                                      NULL);
    if (code)
        return kerberos_failed(t, code, "no ticket for the service account", e);
    code = krb5_cc_resolve(t->context, t->name, &t->cache);
    if (!code)
        code = krb5_cc_initialize(t->context, t->cache, t->principal);
    if (!code)
        code = krb5_cc_store_cred(t->context, t->cache, &credentials);
    krb5_free_cred_contents(t->context, &credentials);
    return !code || kerberos_failed(t, code, "its ticket cannot be kept", e);
}

static void ticket_free(struct ticket *t)
{
    if (t->cache)
        krb5_cc_destroy(t->context, t->cache);
    krb5_free_principal(t->context, t->principal);
    if (t->keytab)
        krb5_kt_close(t->context, t->keytab);
    krb5_free_context(t->context);
}

/* Who logs in is in the ticket. */
static int answer_prompts(LDAP *ld, unsigned flags, void *defaults, void *list)
{
    (void)ld;
    (void)flags;
    (void)defaults;
    for (sasl_interact_t *prompt = list; prompt->id != SASL_CB_LIST_END; prompt++) {
        prompt->result = prompt->defresult ? prompt->defresult : "";
        prompt->len = (unsigned)strlen(prompt->result);
    }
    return LDAP_SUCCESS;
}

static bool exchange(struct ldap_connection *c, int stop, usec deadline, struct err *e)
{
    LDAPMessage *message = NULL;
    const char *mechanism = NULL;
    int id, rc;
    for (;;) {
        rc = ldap_sasl_interactive_bind(c->ld, NULL, "GSSAPI", NULL, NULL, LDAP_SASL_QUIET,
                                        answer_prompts, NULL, message, &mechanism, &id);
        ldap_msgfree(message);
        if (rc != LDAP_SASL_BIND_IN_PROGRESS)
            break;
        message = NULL;
        if (!ldap_connection_await(c, id, stop, deadline, &message, e))
            return err_prefix(e, "login of the service account");
    }
    if (rc == LDAP_SUCCESS)
        return true;
    char *text = NULL;
    ldap_get_option(c->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
    ldap_connection_refused(c, rc, str_from_c(text), "login of the service account", e);
    ldap_memfree(text);
    return false;
}

bool ldap_gssapi_bind(struct ldap_connection *c, const struct ldap_connection_settings *s, int stop,
                      usec deadline, struct err *e)
{
    struct ticket t = {0};
    OM_uint32 minor;
    krb5_error_code code = krb5_init_context(&t.context);
    if (code)
        return err_set(e, ERR_PERM, "Kerberos cannot be set up (krb5.conf): error %d", (int)code);
    snprintf(t.name, sizeof(t.name), "MEMORY:maild-%p-%lld", (void *)c,
             (long long)clock_monotonic());
    bool ok = get_ticket(&t, s, e);
    if (ok) {
        gss_krb5_ccache_name(&minor, t.name, NULL);
        ldap_set_option(c->ld, LDAP_OPT_X_SASL_SECPROPS,
                        c->encrypted ? "noplain,maxssf=0" : "noplain");
        ok = exchange(c, stop, deadline, e);
        gss_krb5_ccache_name(&minor, NULL, NULL);
    }
    ber_len_t strength = 0;
    if (ok && ldap_get_option(c->ld, LDAP_OPT_X_SASL_SSF, &strength) == LDAP_OPT_SUCCESS)
        c->encrypted |= strength >= 56;
    ticket_free(&t);
    return ok;
}
