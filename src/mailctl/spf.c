/*
 * SPF as a receiver evaluates it (RFC 7208 4.6): terms from left to right, the first mechanism that
 * fits decides; include (5.2) and redirect (6.1) ask other records. At most ten terms ask DNS,
 * counted over all of them.
 */
#include "mailctl/spf.h"

#include "core/buf.h"
#include "net/network.h"

#define DEPTH_MAX 10

const char *spf_result_name(enum spf_result r)
{
    static const char *const names[] = {"none",    "pass",      "fail",      "softfail",
                                        "neutral", "permerror", "no answer", "unknown"};
    return names[r];
}

static enum spf_result wrong(struct spf *s, const char *what, struct str of)
{
    s->why = arena_printf(s->arena, "%s: %.*s", what, STR_ARG(str_head(of, 200)));
    return SPF_WRONG;
}

static enum spf_result no_answer(struct spf *s, const struct err *e)
{
    s->why = arena_str(s->arena, str_from_c(e->text));
    return SPF_NO_ANSWER;
}

static bool is_spf(struct str text)
{
    return str_equal_nocase(text, STR("v=spf1")) || str_starts_with_nocase(text, STR("v=spf1 "));
}

/* --- a term --- */

struct term {
    char qualifier;
    struct str name, argument; /* of "a:host/24": "a", "host/24" */
    bool modifier;             /* "redirect=" */
};

static struct term parse_term(struct str word)
{
    struct term t = {.qualifier = '+', .argument = STR("")};
    if (word.n > 0 && strchr("+-~?", word.p[0])) {
        t.qualifier = word.p[0];
        word = str_skip(word, 1);
    }
    size_t n = 0;
    while (n < word.n && !strchr(":=/", word.p[n]))
        n++;
    t.name = str_head(word, n);
    t.modifier = n < word.n && word.p[n] == '=';
    /* "a/24": the slash belongs to the argument */
    t.argument = str_skip(word, n < word.n && word.p[n] == '/' ? n : n + 1);
    return t;
}

static bool is_in(const char *address, struct str base, unsigned bits4, unsigned bits6)
{
    struct network_address a, b;
    if (!network_address_parse(&a, str_from_c(address)) || !network_address_parse(&b, base) ||
        a.v6 != b.v6)
        return false;
    network_address_cut(&a, a.v6 ? bits6 : bits4);
    network_address_cut(&b, a.v6 ? bits6 : bits4);
    return memcmp(a.bytes, b.bytes, a.v6 ? 16 : 4) == 0;
}

/* "host/24//64" in three; the host is the domain where none is named. False: malformed. */
static bool split_argument(struct str argument, struct str domain, struct str *host,
                           unsigned *bits4, unsigned *bits6)
{
    uint32_t v4 = 32, v6 = 128;
    ptrdiff_t slash = str_find_char(argument, '/');
    struct str lengths = slash < 0 ? STR("") : str_skip(argument, (size_t)slash + 1);
    *host = slash < 0 ? argument : str_head(argument, (size_t)slash);
    if (host->n == 0)
        *host = domain;
    if (slash >= 0) {
        ptrdiff_t second = str_find_char(lengths, '/');
        struct str first = second < 0 ? lengths : str_head(lengths, (size_t)second);
        if (first.n > 0 && !str_to_u32(first, &v4))
            return false;
        if (second >= 0) {
            struct str rest = str_skip(lengths, (size_t)second + 1);
            if (str_starts_with(rest, STR("/")))
                rest = str_skip(rest, 1);
            if (!str_to_u32(rest, &v6))
                return false;
        }
    }
    *bits4 = v4;
    *bits6 = v6;
    return v4 <= 32 && v6 <= 128;
}

enum match { MATCH_NO, MATCH_YES, MATCH_UNKNOWN, MATCH_WRONG, MATCH_NO_ANSWER };

/* MATCH_YES: there are records to be looked at. */
static enum match of_lookup(struct spf *s, enum dns_status found, const struct err *e)
{
    if (found == DNS_FOUND)
        return MATCH_YES;
    if (found == DNS_NOT_FOUND)
        return MATCH_NO;
    no_answer(s, e);
    return MATCH_NO_ANSWER;
}

SUSPENDS static enum match match_host(struct spf *s, struct str host, unsigned bits4,
                                      unsigned bits6)
{
    struct dns_answer answer;
    struct err e;
    enum match found =
        of_lookup(s, dns_addresses_until(s->dns, host, s->deadline, s->arena, &answer, &e), &e);
    if (found != MATCH_YES)
        return found;
    for (size_t i = 0; i < answer.count; i++)
        if (is_in(s->address, str_from_c(answer.addresses[i].text), bits4, bits6))
            return MATCH_YES;
    return MATCH_NO;
}

SUSPENDS static enum match match_mx(struct spf *s, struct str domain, unsigned bits4,
                                    unsigned bits6)
{
    struct dns_answer answer;
    struct err e;
    enum match found =
        of_lookup(s, dns_mx_until(s->dns, domain, s->deadline, s->arena, &answer, &e), &e);
    if (found != MATCH_YES)
        return found;
    for (size_t i = 0; i < answer.count && i < SPF_LOOKUPS_MAX; i++) {
        enum match m = match_host(s, answer.mx[i].host, bits4, bits6);
        if (m != MATCH_NO)
            return m;
    }
    return MATCH_NO;
}

SUSPENDS static enum spf_result evaluate(struct spf *s, struct str domain, unsigned depth);

SUSPENDS static enum match match_include(struct spf *s, const struct term *t, unsigned depth)
{
    switch (evaluate(s, t->argument, depth + 1)) {
    case SPF_PASS:
        return MATCH_YES;
    case SPF_FAIL:
    case SPF_SOFTFAIL:
    case SPF_NEUTRAL:
        return MATCH_NO;
    case SPF_NO_ANSWER:
        return MATCH_NO_ANSWER;
    case SPF_UNKNOWN:
        return MATCH_UNKNOWN;
    case SPF_NONE:
        wrong(s, "a record is included that does not exist", t->argument);
        break;
    case SPF_WRONG:
        break;
    }
    return MATCH_WRONG;
}

static bool is_named(const struct term *t, const char *name)
{
    return str_equal_nocase(t->name, str_from_c(name));
}

/* "192.0.2.0/24": one length, for either family. */
static enum match match_network(struct spf *s, const struct term *t, struct str word)
{
    struct network_address base;
    uint32_t bits = 0;
    ptrdiff_t slash = str_find_char(t->argument, '/');
    struct str host = slash < 0 ? t->argument : str_head(t->argument, (size_t)slash);
    bool ok = network_address_parse(&base, host);
    if (slash < 0)
        bits = 128;
    else if (ok)
        ok = str_to_u32(str_skip(t->argument, (size_t)slash + 1), &bits) &&
             bits <= (base.v6 ? 128 : 32);
    if (!ok || base.v6 != is_named(t, "ip6")) {
        wrong(s, "malformed", word);
        return MATCH_WRONG;
    }
    return is_in(s->address, host, bits < 32 ? bits : 32, bits) ? MATCH_YES : MATCH_NO;
}

SUSPENDS static enum match match_term(struct spf *s, const struct term *t, struct str word,
                                      struct str domain, unsigned depth)
{
    struct str host;
    unsigned bits4, bits6;
    if (is_named(t, "all"))
        return MATCH_YES;
    if (is_named(t, "ip4") || is_named(t, "ip6"))
        return match_network(s, t, word);
    bool include = is_named(t, "include"), a = is_named(t, "a"), mx = is_named(t, "mx"),
         asks_name = is_named(t, "ptr") || is_named(t, "exists");
    if (!include && !a && !mx && !asks_name) {
        wrong(s, "no such mechanism", word);
        return MATCH_WRONG;
    }
    if (++s->lookups > SPF_LOOKUPS_MAX) {
        wrong(s, "more than ten terms ask DNS, so receivers give up at", word);
        return MATCH_WRONG;
    }
    if (asks_name || str_find_char(t->argument, '%') >= 0)
        return MATCH_UNKNOWN;
    if (include)
        return match_include(s, t, depth);
    if (!split_argument(t->argument, domain, &host, &bits4, &bits6)) {
        wrong(s, "malformed", word);
        return MATCH_WRONG;
    }
    return a ? match_host(s, host, bits4, bits6) : match_mx(s, host, bits4, bits6);
}

/* --- a record --- */

static enum spf_result result_of(char qualifier)
{
    return qualifier == '-'   ? SPF_FAIL
           : qualifier == '~' ? SPF_SOFTFAIL
           : qualifier == '?' ? SPF_NEUTRAL
                              : SPF_PASS;
}

SUSPENDS static enum spf_result evaluate_record(struct spf *s, struct str record, struct str domain,
                                                unsigned depth)
{
    struct str rest = record, word, redirect = STR("");
    bool unknown = false;
    str_word(&rest); /* v=spf1 */
    while ((word = str_word(&rest)).p) {
        struct term t = parse_term(word);
        if (t.modifier) {
            if (is_named(&t, "redirect"))
                redirect = t.argument;
            continue;
        }
        switch (match_term(s, &t, word, domain, depth)) {
        case MATCH_NO:
            break;
        case MATCH_UNKNOWN:
            unknown = true;
            break;
        case MATCH_YES:
            if (unknown && t.qualifier != '+')
                return SPF_UNKNOWN; /* what could not be evaluated may have fitted */
            s->matched = word;
            return result_of(t.qualifier);
        case MATCH_WRONG:
            return SPF_WRONG;
        case MATCH_NO_ANSWER:
            return SPF_NO_ANSWER;
        }
    }
    if (unknown || str_find_char(redirect, '%') >= 0)
        return SPF_UNKNOWN;
    if (redirect.n == 0)
        return SPF_NEUTRAL;
    if (++s->lookups > SPF_LOOKUPS_MAX)
        return wrong(s, "more than ten terms ask DNS, so receivers give up at", redirect);
    enum spf_result r = evaluate(s, redirect, depth + 1);
    return r == SPF_NONE ? wrong(s, "redirected to a record that does not exist", redirect) : r;
}

SUSPENDS static enum spf_result evaluate(struct spf *s, struct str domain, unsigned depth)
{
    struct dns_answer answer;
    struct err e;
    const struct str *record = NULL;
    if (depth > DEPTH_MAX)
        return wrong(s, "records include each other", domain);
    switch (dns_txt_until(s->dns, domain, s->deadline, s->arena, &answer, &e)) {
    case DNS_TEMPFAIL:
        return no_answer(s, &e);
    case DNS_NOT_FOUND:
        return SPF_NONE;
    case DNS_FOUND:
        break;
    }
    for (size_t i = 0; i < answer.count; i++) {
        if (!is_spf(answer.texts[i]))
            continue;
        if (record)
            return wrong(s, "there is more than one record", domain);
        record = &answer.texts[i];
    }
    if (!record)
        return SPF_NONE;
    if (depth == 0)
        s->record = *record;
    return evaluate_record(s, *record, domain, depth);
}

enum spf_result spf_check(struct spf *s, struct str domain)
{
    s->record = s->why = s->matched = STR("");
    s->lookups = 0;
    return evaluate(s, domain, 0);
}

/* --- what is written in it --- */

static bool is_all(struct str word)
{
    struct term t = parse_term(word);
    return is_named(&t, "all") && !t.modifier;
}

char spf_record_default(struct str record)
{
    struct str word;
    char redirect = 0;
    while ((word = str_word(&record)).p) {
        struct term t = parse_term(word);
        if (is_all(word))
            return t.qualifier;
        if (t.modifier && is_named(&t, "redirect"))
            redirect = '-';
    }
    return redirect;
}

struct str spf_record_with(struct str record, struct str mechanism, struct arena *a)
{
    struct buf b = BUF_EMPTY;
    struct str word;
    bool done = false;
    while ((word = str_word(&record)).p) {
        struct term t = parse_term(word);
        if (!done && (is_all(word) || (t.modifier && is_named(&t, "redirect")))) {
            buf_add_word(&b, mechanism);
            done = true;
        }
        buf_add_word(&b, word);
    }
    if (!done)
        buf_add_word(&b, mechanism);
    struct str text = arena_str(a, buf_str(&b));
    buf_free(&b);
    return text;
}
