/*
 * Both texts are fields with a name and a value, in any order, of which unknown ones are passed
 * over; of one that is given twice the first counts, but for "mx", which is a list (RFC 8461 3.2).
 * The record's parts are divided by semicolons, the policy's by line ends of either kind.
 */
#include "smtp/mta_sts_policy.h"

static const char *const mode_names[] = {"none", "testing", "enforce"};

const char *mta_sts_mode_name(enum mta_sts_mode mode)
{
    return mode_names[mode];
}

/* --- the record --- */

static bool is_id(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = char_lower(s.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
            return false;
    }
    return s.n > 0 && s.n <= MTA_STS_ID_MAX;
}

/* *rest is behind "v=STSv1" and the delimiter. */
static bool is_version(struct str text, struct str *rest)
{
    if (!str_starts_with(text, STR("v=STSv1")))
        return false;
    *rest = str_trim(str_skip(text, 7));
    if (rest->n == 0 || rest->p[0] != ';')
        return false;
    *rest = str_skip(*rest, 1);
    return true;
}

static bool parse_record(struct str rest, struct str *id)
{
    *id = (struct str){0};
    while (rest.n > 0) {
        struct str field = str_trim(str_split(&rest, ';'));
        if (!id->p && str_starts_with(field, STR("id=")))
            *id = str_skip(field, 3);
    }
    return id->p && is_id(*id);
}

bool mta_sts_find_id(const struct str *texts, size_t count, struct str *id)
{
    struct str record = {0}, rest;
    for (size_t i = 0; i < count; i++) {
        if (!is_version(texts[i], &rest))
            continue;
        if (record.p)
            return false;
        record = rest;
    }
    return record.p && parse_record(record, id);
}

/* --- the policy --- */

static bool is_pattern(struct str s)
{
    size_t label = 0;
    if (str_starts_with(s, STR("*.")))
        s = str_skip(s, 2);
    if (s.n == 0 || s.n > 253)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = char_lower(s.p[i]);
        bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (c == '.' ? label == 0 : !letter)
            return false;
        label = c == '.' ? 0 : label + 1;
    }
    return label > 0;
}

struct parsing {
    struct arena *arena;
    struct mta_sts_policy *policy;
    struct str *mx;
    bool version, mode, max_age;
};

static bool take_mx(struct parsing *x, struct str value, struct err *e)
{
    if (value.n > 1 && value.p[value.n - 1] == '.')
        value = str_head(value, value.n - 1);
    if (!is_pattern(value))
        return err_set(e, ERR_SYNTAX, "\"mx: %.*s\" names no host", STR_ARG(str_head(value, 100)));
    if (x->policy->mx_count == MTA_STS_HOSTS_MAX)
        return err_set(e, ERR_SYNTAX, "more than %d hosts", MTA_STS_HOSTS_MAX);
    char *lower = arena_c(x->arena, value);
    for (size_t i = 0; i < value.n; i++)
        lower[i] = char_lower(lower[i]);
    x->mx[x->policy->mx_count++] = str_from(lower, value.n);
    return true;
}

static bool take_mode(struct parsing *x, struct str value, struct err *e)
{
    for (int i = 0; i < 3; i++)
        if (str_equal(value, str_from_c(mode_names[i]))) {
            x->policy->mode = (enum mta_sts_mode)i;
            x->mode = true;
            return true;
        }
    return err_set(e, ERR_SYNTAX, "unknown mode \"%.*s\"", STR_ARG(str_head(value, 40)));
}

static bool take_max_age(struct parsing *x, struct str value, struct err *e)
{
    uint64_t seconds;
    if (value.n > 10 || !str_to_u64(value, &seconds))
        return err_set(e, ERR_SYNTAX, "\"max_age: %.*s\" is no number of seconds",
                       STR_ARG(str_head(value, 40)));
    x->policy->max_age = (uint32_t)(seconds < MTA_STS_AGE_MAX ? seconds : MTA_STS_AGE_MAX);
    x->max_age = true;
    return true;
}

static bool take_version(struct parsing *x, struct str value, struct err *e)
{
    x->version = true;
    return str_equal(value, STR("STSv1")) ||
           err_set(e, ERR_SYNTAX, "unknown version \"%.*s\"", STR_ARG(str_head(value, 40)));
}

static bool take_field(struct parsing *x, struct str name, struct str value, struct err *e)
{
    if (str_equal(name, STR("mx")))
        return take_mx(x, value, e);
    if (str_equal(name, STR("version")))
        return x->version || take_version(x, value, e);
    if (str_equal(name, STR("mode")))
        return x->mode || take_mode(x, value, e);
    if (str_equal(name, STR("max_age")))
        return x->max_age || take_max_age(x, value, e);
    return true;
}

static bool is_complete(const struct parsing *x, struct err *e)
{
    const char *missing = !x->version                                                   ? "version"
                          : !x->mode                                                    ? "mode"
                          : !x->max_age                                                 ? "max_age"
                          : x->policy->mx_count == 0 && x->policy->mode != MTA_STS_NONE ? "mx"
                                                                                        : NULL;
    return !missing || err_set(e, ERR_SYNTAX, "there is no \"%s\"", missing);
}

bool mta_sts_policy_parse(struct str text, struct arena *a, struct mta_sts_policy *policy,
                          struct err *e)
{
    struct parsing x = {.arena = a, .policy = policy};
    *policy = (struct mta_sts_policy){.mode = MTA_STS_NONE};
    if (text.n > MTA_STS_POLICY_MAX)
        return err_set(e, ERR_SYNTAX, "larger than %d bytes", MTA_STS_POLICY_MAX);
    x.mx = arena_array(a, MTA_STS_HOSTS_MAX, sizeof(*x.mx));
    policy->mx = x.mx;
    while (text.n > 0) {
        struct str value = str_trim(str_split(&text, '\n'));
        if (value.n == 0)
            continue;
        struct str name = str_split(&value, ':');
        if (!value.p)
            return err_set(e, ERR_SYNTAX, "\"%.*s\" is no field", STR_ARG(str_head(name, 60)));
        if (!take_field(&x, str_trim(name), str_trim(value), e))
            return false;
    }
    return is_complete(&x, e);
}

void mta_sts_policy_write(struct buf *out, const struct mta_sts_policy *policy)
{
    buf_printf(out, "version: STSv1\nmode: %s\n", mode_names[policy->mode]);
    for (size_t i = 0; i < policy->mx_count; i++)
        buf_printf(out, "mx: %.*s\n", STR_ARG(policy->mx[i]));
    buf_printf(out, "max_age: %u\n", policy->max_age);
}

static bool matches(struct str pattern, struct str host)
{
    if (!str_starts_with(pattern, STR("*.")))
        return str_equal_nocase(pattern, host);
    ptrdiff_t dot = str_find_char(host, '.'); /* the star stands for exactly one label */
    return dot > 0 && str_equal_nocase(str_skip(pattern, 1), str_skip(host, (size_t)dot));
}

bool mta_sts_policy_allows(const struct mta_sts_policy *policy, struct str host)
{
    if (host.n > 0 && host.p[host.n - 1] == '.')
        host = str_head(host, host.n - 1);
    for (size_t i = 0; i < policy->mx_count; i++)
        if (matches(policy->mx[i], host))
            return true;
    return false;
}
