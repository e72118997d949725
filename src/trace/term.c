/*
 * A term is a hash of its text without regard to case; eight bytes at a time with the bit set that
 * tells the cases of letters apart, which makes some other characters the same, too: what is found
 * by a hash is looked at anyway.
 *
 * The fields of a line are gone through once (trace/field.h). What is no name of anything -
 * numbers, reasons, versions of TLS - is no term, so that the index stays small.
 */
#include "trace/term.h"

#include "core/buf.h"
#include "core/random.h"
#include "trace/field.h"

#define FOLD  UINT64_C(0x2020202020202020)
#define PRIME UINT64_C(0x9e3779b97f4a7c15)

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 32;
    return h;
}

static uint64_t hash(struct str s)
{
    uint64_t h = s.n * PRIME;
    const char *p = s.p;
    size_t n = s.n;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        h = (h ^ (v | FOLD)) * PRIME;
        h ^= h >> 29;
    }
    if (n > 0) {
        uint64_t v = 0;
        memcpy(&v, p, n);
        h = (h ^ (v | FOLD)) * PRIME;
        h ^= h >> 29;
    }
    return mix(h);
}

static uint64_t pair(uint64_t first, uint64_t second)
{
    return mix(first * 3 + second * PRIME + 1);
}

/* --- places --- */

#define PUBLIC_MARK ":public:"
#define PUBLIC_HOME ".public"

static bool take_public(struct str *mailbox)
{
    if (!str_starts_with(*mailbox, STR(PUBLIC_MARK)))
        return false;
    *mailbox = str_skip(*mailbox, sizeof(PUBLIC_MARK) - 1);
    return true;
}

/* "example.test/alice" and "alice@example.test" are the same. False: neither. */
static bool split_account(struct str account, struct str *domain, struct str *local)
{
    ptrdiff_t at = str_find_char(account, '/');
    if (at >= 0) {
        *domain = str_head(account, (size_t)at);
        *local = str_skip(account, (size_t)at + 1);
        return true;
    }
    at = str_find_last_char(account, '@');
    if (at < 0)
        return false;
    *local = str_head(account, (size_t)at);
    *domain = str_skip(account, (size_t)at + 1);
    return true;
}

static bool is_public_account(struct str account)
{
    return str_equal(account, STR("public")) || str_equal(account, STR(PUBLIC_HOME));
}

uint64_t place_hash(struct str account, struct str mailbox)
{
    struct str domain, local;
    if (is_public_account(account) || !split_account(account, &domain, &local)) {
        domain = is_public_account(account) ? STR(PUBLIC_HOME) : account;
        local = STR("");
    }
    return pair(pair(hash(domain), hash(local)), hash(mailbox));
}

void place_add_home(struct buf *out, struct str account, bool is_public)
{
    struct str domain, local;
    size_t from = out->n;
    if (is_public || is_public_account(account))
        buf_add_c(out, PUBLIC_HOME);
    else if (split_account(account, &domain, &local))
        buf_printf(out, "%.*s/%.*s", STR_ARG(domain), STR_ARG(local));
    else
        buf_add(out, account.p, account.n);
    for (size_t i = from; i < out->n; i++)
        out->p[i] = char_lower(out->p[i]);
}

/* What the fields of a line say of mailboxes, gathered one after the other. */
static void note_place(const struct field *f, struct place_names *p, bool *has_home)
{
    if (f->form != FIELD_BRACKETS)
        return;
    if (str_equal(f->key, STR("mailbox"))) {
        p->mailbox = f->value;
    } else if (str_equal(f->key, STR("to"))) {
        p->to = f->value;
    } else if (str_equal(f->key, STR("to_user"))) {
        p->to_account = f->value;
    } else if (str_equal(f->key, STR("account")) || str_equal(f->key, STR("home"))) {
        p->account = f->value;
        *has_home = true;
    } else if (str_equal(f->key, STR("user")) && !*has_home) {
        p->account = f->value;
    }
}

static bool finish_place(struct place_names *p)
{
    p->is_public = take_public(&p->mailbox);
    p->to_public = take_public(&p->to);
    if (p->to_account.n == 0)
        p->to_account = p->account;
    return p->mailbox.n > 0 && p->account.n > 0;
}

bool place_of(struct str text, struct place_names *p)
{
    struct field f;
    bool has_home = false;
    *p = (struct place_names){0};
    while (field_next(&text, &f))
        note_place(&f, p, &has_home);
    return finish_place(p);
}

/* --- terms --- */

uint64_t term_hash(struct str term)
{
    ptrdiff_t end = str_find_char(term, '\n');
    if (end < 0)
        return hash(term);
    return place_hash(str_head(term, (size_t)end), str_skip(term, (size_t)end + 1));
}

static bool is_id(struct str s)
{
    if (s.n != ID_SIZE - 1)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'z')))
            return false;
    return true;
}

static bool is_term(const struct field *f)
{
    if (f->value.n == 0 || str_equal(f->key, STR("mailbox")))
        return false;
    switch (f->form) {
    case FIELD_BRACKETS:
        return true;
    case FIELD_BARE:
        return str_equal(f->key, STR("peer")) || is_id(f->value) ||
               memchr(f->value.p, '@', f->value.n) != NULL;
    case FIELD_QUOTES:
        return str_equal(f->key, STR("user"));
    }
    return false;
}

/* "...Z info smtpd[ID]: text": the id and the text. */
static struct str take_head(struct str line, struct str *id)
{
    ptrdiff_t end = str_find(line, STR(": "));
    *id = STR("");
    if (end < 0)
        return STR("");
    struct str head = str_head(line, (size_t)end);
    ptrdiff_t bracket = str_find_char(head, '[');
    if (bracket >= 0 && head.p[head.n - 1] == ']')
        *id = str_from(head.p + bracket + 1, head.n - (size_t)bracket - 2);
    return str_skip(line, (size_t)end + 2);
}

void term_each(struct str line, void (*fn)(void *arg, uint64_t hash), void *arg)
{
    struct str id, rest = take_head(line, &id);
    struct place_names place = {0};
    bool has_home = false;
    struct field f;
    if (id.n > 0)
        fn(arg, hash(id));
    while (field_next(&rest, &f)) {
        note_place(&f, &place, &has_home);
        if (is_term(&f))
            fn(arg, hash(f.value));
    }
    if (!finish_place(&place))
        return;
    struct str public = STR(PUBLIC_HOME);
    fn(arg, place_hash(place.is_public ? public : place.account, place.mailbox));
    if (place.to.n > 0)
        fn(arg, place_hash(place.to_public ? public : place.to_account, place.to));
}
