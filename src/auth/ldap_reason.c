/*
 * Active Directory answers every failed bind with result 49 and a text like
 *   80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 52e, v2580
 * whose number after "data" is a Windows error in hexadecimal. The control of the password policy
 * is draft-behera-ldap-password-policy.
 */
#include "auth/ldap_reason.h"

#include <ldap.h>

static const struct {
    struct str code;
    const char *reason;
} windows_errors[] = {
    {STR("525"), "wrong_password"}, /* no such user, which nobody is to tell */
    {STR("52e"), "wrong_password"},   {STR("52f"), "disabled"}, /* restricted */
    {STR("530"), "disabled"},                                   /* not at this hour */
    {STR("531"), "disabled"},                                   /* not from this machine */
    {STR("532"), "password_expired"}, {STR("533"), "disabled"},
    {STR("701"), "expired"},          {STR("773"), "password_expired"}, /* must be changed */
    {STR("775"), "locked"},
};

static const char *reason_of_windows(struct str text)
{
    ptrdiff_t at = str_find(text, STR(" data "));
    if (at < 0)
        return "wrong_password";
    struct str code = str_skip(text, (size_t)at + 6);
    size_t n = 0;
    while (n < code.n && char_hex_value(code.p[n]) >= 0)
        n++;
    code = str_head(code, n);
    for (size_t i = 0; i < sizeof(windows_errors) / sizeof(*windows_errors); i++)
        if (str_equal_nocase(code, windows_errors[i].code))
            return windows_errors[i].reason;
    return str_equal_nocase(code, STR("568")) ? NULL : "wrong_password"; /* too many contexts */
}

static const char *reason_of_policy(int policy)
{
    switch (policy) {
    case PP_accountLocked:
        return "locked";
    case PP_passwordExpired:
    case PP_changeAfterReset:
        return "password_expired";
    default:
        return NULL;
    }
}

const char *ldap_reason_of(int result, int policy, struct str diagnostic)
{
    const char *reason = reason_of_policy(policy);
    switch (result) {
    case LDAP_SUCCESS:
        return reason;
    case LDAP_INVALID_CREDENTIALS:
        return reason ? reason : reason_of_windows(diagnostic);
    case LDAP_NO_SUCH_OBJECT:
    case LDAP_INAPPROPRIATE_AUTH: /* the entry has no password */
        return "wrong_password";
    case LDAP_CONSTRAINT_VIOLATION:
        return str_find_nocase(diagnostic, STR("retry limit")) >= 0 ? "locked" : reason;
    case LDAP_UNWILLING_TO_PERFORM:
        return str_find_nocase(diagnostic, STR("inactivated")) >= 0 ? "disabled" : reason;
    default:
        return NULL;
    }
}

void ldap_reason_text(struct str diagnostic, struct str secret, char *text, size_t size)
{
    size_t n = 0;
    if (secret.n > 0 && str_find(diagnostic, secret) >= 0)
        diagnostic = STR("(its text repeats the password)");
    diagnostic = str_trim(diagnostic);
    for (size_t i = 0; i < diagnostic.n && n + 1 < size; i++)
        text[n++] = diagnostic.p[i] >= ' ' && diagnostic.p[i] <= '~' ? diagnostic.p[i] : '.';
    text[n] = '\0';
}
