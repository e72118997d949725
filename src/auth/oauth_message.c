/*
 * What a client sends to log in with a token:
 *
 *   OAUTHBEARER  n,a=alice@example.org,^Ahost=mail.example.org^Aport=993^Aauth=Bearer TOKEN^A^A
 *   XOAUTH2      user=alice@example.org^Aauth=Bearer TOKEN^A^A
 *
 * The former is RFC 7628 3.1 with a header of RFC 5801 4. Channel bindings are not part of these
 * mechanisms: a client that insists on one ("p=") is refused.
 */
#include "auth/oauth_message.h"

#include "auth/limits.h"

static bool malformed(struct err *e)
{
    return err_set(e, ERR_SYNTAX, "malformed");
}

/* saslname (RFC 5801 4): "=2C" is a comma, "=3D" an equals sign. */
static bool decode_name(struct str text, struct arena *a, struct str *name)
{
    char *out = arena_alloc(a, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        struct str rest = str_skip(text, i);
        if (str_starts_with(rest, STR("=2C")) || str_starts_with(rest, STR("=3D"))) {
            out[n++] = rest.p[2] == 'C' ? ',' : '=';
            i += 2;
        } else if (rest.p[0] == '=' || rest.p[0] == '\0') {
            return false;
        } else {
            out[n++] = rest.p[0];
        }
    }
    *name = str_from(out, n);
    return n > 0;
}

/* "n,a=alice," or "y,,": takes it off *text. */
static bool take_header(struct str *text, struct arena *a, struct oauth_message *m)
{
    struct str flag = str_split(text, ',');
    struct str identity = text->p ? str_split(text, ',') : (struct str){0};
    if (!text->p || (!str_equal(flag, STR("n")) && !str_equal(flag, STR("y"))))
        return false;
    return identity.n == 0 || (str_starts_with(identity, STR("a=")) &&
                               decode_name(str_skip(identity, 2), a, &m->user));
}

/* "Bearer TOKEN"; the token's characters are those of RFC 6750 2.1. */
static bool take_token(struct str value, struct str *token)
{
    struct str scheme = str_word(&value);
    if (!scheme.p)
        return true; /* asks what it takes */
    if (value.p)
        *token = str_trim(value);
    for (size_t i = 0; i < token->n; i++) {
        char c = char_lower(token->p[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && (!c || !strchr("-._~+/=", c)))
            return false;
    }
    return str_equal_nocase(scheme, STR("Bearer"));
}

/* Pairs of key=value, each with ^A behind it, and another ^A behind the last. */
static bool parse_pairs(struct str text, bool google, struct oauth_message *m)
{
    while (text.n > 0 && text.p[0] != '\1') {
        struct str pair = str_split(&text, '\1');
        ptrdiff_t equals = str_find_char(pair, '=');
        if (!text.p || equals <= 0 || memchr(pair.p, '\0', pair.n))
            return false;
        struct str key = str_head(pair, (size_t)equals), value = str_skip(pair, (size_t)equals + 1);
        if (str_equal_nocase(key, STR("auth")) && (m->token.n || !take_token(value, &m->token)))
            return false;
        if (google && str_equal_nocase(key, STR("user")))
            m->user = value;
    }
    return str_equal(text, STR("\1"));
}

bool oauth_message_parse(struct str text, bool google, struct arena *a, struct oauth_message *m,
                         struct err *e)
{
    *m = (struct oauth_message){STR(""), STR("")};
    if (!google && (!take_header(&text, a, m) || text.n == 0 || text.p[0] != '\1'))
        return malformed(e);
    if (!google)
        text = str_skip(text, 1);
    if (!parse_pairs(text, google, m) || m->user.n > TOKEN_LOGIN_MAX || m->token.n > TOKEN_MAX ||
        (google && m->user.n == 0))
        return malformed(e);
    return true;
}
