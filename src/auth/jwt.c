/*
 * Taking a token apart, and judging what it claims (RFC 7519 4.1, RFC 9068 4, RFC 8725 for what has
 * gone wrong elsewhere).
 *
 * The text comes from a stranger: its size is bounded by the exchange that carries it, its depth
 * here (the parser descends on the fiber's stack), and a name that stands twice in an object is
 * refused, since two readers could see different ones. What the header asks to be understood
 * ("crit") is not understood, and a token that says it is of another kind (a logout, a proof of
 * possession) is none that logs in.
 *
 * Time is compared in seconds, with the leeway to the token's favour at both ends.
 */
#include "auth/jwt.h"

#include "auth/limits.h"

#include <math.h>
#include <string.h>
#include <strings.h>

static bool refuse(struct err *e, const char *reason)
{
    return err_set(e, ERR_DENIED, "%s", reason);
}

/* --- text --- */

bool jwt_decode_base64(struct str text, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    unsigned have = 0;
    if (text.n % 4 == 1)
        return false;
    char *p = buf_reserve(out, text.n / 4 * 3 + 3);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        const char *digit = text.p[i] ? strchr(digits, text.p[i]) : NULL;
        if (!digit)
            return false;
        bits = bits << 6 | (uint32_t)(digit - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            p[n++] = (char)(bits >> have & 0xff);
        }
    }
    if (bits & ((1u << have) - 1)) /* two texts for the same bytes */
        return false;
    out->n += n;
    return true;
}

static bool is_shallow(struct str text)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            depth++;
        else if (!quoted && (c == '}' || c == ']') && depth > 0)
            depth--;
        if (depth > TOKEN_DEPTH_MAX)
            return false;
    }
    return true;
}

json_t *jwt_json(struct str text)
{
    json_t *value =
        is_shallow(text) ? json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (json_is_object(value))
        return value;
    json_decref(value);
    return NULL;
}

static json_t *decode_object(struct str part)
{
    struct buf text = BUF_EMPTY;
    json_t *object = jwt_decode_base64(part, &text) ? jwt_json(buf_str(&text)) : NULL;
    buf_free(&text);
    return object;
}

/* --- the token --- */

bool jwt_is_one(struct str token)
{
    struct str first = str_split(&token, '.'), second = str_split(&token, '.');
    if (!second.p || !token.p || str_find_char(token, '.') >= 0)
        return false;
    json_t *header = decode_object(first);
    bool is = json_is_string(json_object_get(header, "alg"));
    json_decref(header);
    return is;
}

/* "at+jwt" (RFC 9068 2.1), "JWT", also as "application/..."; tokens of other purposes name theirs.
 */
static bool is_right_type(const json_t *header)
{
    const json_t *type = json_object_get(header, "typ");
    if (!type)
        return true;
    struct str text = str_from_c(json_string_value(type));
    if (str_starts_with_nocase(text, STR("application/")))
        text = str_skip(text, strlen("application/"));
    return str_equal_nocase(text, STR("jwt")) || str_equal_nocase(text, STR("at+jwt"));
}

bool jwt_parse(struct str token, struct jwt *t, struct err *e)
{
    struct str rest = token;
    *t = (struct jwt){.signature = BUF_EMPTY};
    struct str first = str_split(&rest, '.'), second = str_split(&rest, '.');
    if (!second.p || !rest.p || token.n > TOKEN_MAX)
        return refuse(e, "token_malformed");
    t->header = decode_object(first);
    t->claims = decode_object(second);
    t->input = str_head(token, (size_t)(second.p + second.n - token.p));
    t->algorithm = json_string_value(json_object_get(t->header, "alg"));
    const json_t *key_id = json_object_get(t->header, "kid");
    t->key_id = json_string_value(key_id);
    if (!t->header || !t->claims || !t->algorithm || (key_id && !t->key_id) ||
        !jwt_decode_base64(rest, &t->signature))
        return refuse(e, "token_malformed");
    if (json_object_get(t->header, "crit"))
        return refuse(e, "token_critical");
    return is_right_type(t->header) || refuse(e, "token_type");
}

void jwt_free(struct jwt *t)
{
    json_decref(t->header);
    json_decref(t->claims);
    buf_free(&t->signature);
}

/* --- what it claims --- */

static bool list_has(const struct string_list *list, const char *text)
{
    for (size_t i = 0; text && i < list->count; i++)
        if (strcmp(list->items[i], text) == 0)
            return true;
    return false;
}

static bool is_meant(const json_t *audience, const struct string_list *ours)
{
    if (json_is_string(audience))
        return list_has(ours, json_string_value(audience));
    for (size_t i = 0; i < json_array_size(audience); i++)
        if (list_has(ours, json_string_value(json_array_get(audience, i))))
            return true;
    return false;
}

/* "a b c", or a list of strings. */
static bool names_scope(const json_t *scope, const char *wanted)
{
    if (json_is_string(scope)) {
        struct str rest = str_from_c(json_string_value(scope)), word;
        while (word = str_word(&rest), word.p)
            if (str_equal(word, str_from_c(wanted)))
                return true;
        return false;
    }
    for (size_t i = 0; i < json_array_size(scope); i++) {
        const char *text = json_string_value(json_array_get(scope, i));
        if (text && strcmp(text, wanted) == 0)
            return true;
    }
    return false;
}

/* "scope" (RFC 8693 4.2), or "scp" as some issuers have it. */
static bool has_scope(const json_t *claims, const char *wanted)
{
    return names_scope(json_object_get(claims, "scope"), wanted) ||
           names_scope(json_object_get(claims, "scp"), wanted);
}

/* False: it is there, and no point in time. */
static bool take_time(const json_t *claims, const char *name, double *seconds, bool *given)
{
    const json_t *value = json_object_get(claims, name);
    *given = value != NULL;
    *seconds = json_number_value(value);
    return !value || (json_is_number(value) && isfinite(*seconds));
}

static bool check_time(const json_t *claims, const struct jwt_rules *rules, usec now, struct err *e)
{
    double end, begin, issued, time = (double)now / USEC_SEC,
                               leeway = (double)rules->leeway / USEC_SEC;
    bool ends, begins, has_issued;
    if (!take_time(claims, "exp", &end, &ends) || !take_time(claims, "nbf", &begin, &begins) ||
        !take_time(claims, "iat", &issued, &has_issued) || (rules->complete && !ends))
        return refuse(e, "token_malformed");
    if (ends && time >= end + leeway)
        return refuse(e, "token_expired");
    if ((begins && time < begin - leeway) || (has_issued && time < issued - leeway))
        return refuse(e, "token_not_yet_valid");
    return true;
}

bool jwt_check(const json_t *claims, const struct jwt_rules *rules, usec now, struct err *e)
{
    const json_t *issuer = json_object_get(claims, "iss");
    const char *name = json_string_value(issuer);
    if (*rules->issuer && (issuer || rules->complete) &&
        (!name || strcmp(name, rules->issuer) != 0))
        return refuse(e, "token_issuer");
    if (rules->audience.count > 0 && !is_meant(json_object_get(claims, "aud"), &rules->audience))
        return refuse(e, "token_audience");
    if (!check_time(claims, rules, now, e))
        return false;
    for (size_t i = 0; i < rules->scope.count; i++)
        if (!has_scope(claims, rules->scope.items[i]))
            return refuse(e, "token_scope");
    return true;
}

/* Some issuers write the boolean as a string. */
static bool says_unverified(const json_t *claims)
{
    const json_t *verified = json_object_get(claims, "email_verified");
    const char *text = json_string_value(verified);
    return json_is_false(verified) || (text && strcasecmp(text, "true") != 0);
}

bool jwt_login(const json_t *claims, const char *claim, struct str *login, struct err *e)
{
    const json_t *value = json_object_get(claims, claim);
    *login = str_from(json_string_value(value), json_string_length(value));
    if (login->n == 0 || login->n > TOKEN_LOGIN_MAX ||
        (strcmp(claim, "email") == 0 && says_unverified(claims)))
        return refuse(e, "token_login");
    for (size_t i = 0; i < login->n; i++)
        if ((unsigned char)login->p[i] <= ' ' || login->p[i] == 0x7f)
            return refuse(e, "token_login");
    return true;
}

int64_t jwt_end(const json_t *claims)
{
    double end;
    bool ends;
    if (!take_time(claims, "exp", &end, &ends) || !ends || end >= 9e15)
        return INT64_MAX;
    return end <= 0 ? 0 : (int64_t)end;
}
