/*
 * Guessing passwords. Failures are counted under four names: the address, its network, the account
 * as seen from that network, and the account as such. Each count falls steadily ("level" of a leaky
 * bucket, penalty_table.c); as it nears its limit answers take longer, and at the limit the name is
 * locked out for a while: no password is checked, and the answer is that of a wrong one.
 *
 * Whoever can lock out an account by guessing at it can lock out its owner, who only has to be
 * known by his address. So a lock-out never reaches an account where it is at home:
 *
 * - Guesses at an account from one network close that account to that network only.
 * - When guesses at one account come from everywhere (a botnet, with few from each address), the
 *   account is closed, but not to the networks from which it has logged in during the last weeks.
 * - An address or a network that guesses is closed to all accounts but those that are known there:
 *   behind the one address of an office or a mobile carrier a guesser does not lock out the others.
 *   For known accounts the first limit holds.
 *
 * What it costs: an attacker can keep somebody from logging in from a network where he never was,
 * for as long as the attack goes on; and a guesser who shares the network of his victim is held to
 * the limit of the account, not of his address.
 *
 * A program with an old password tries it again for days. That is no guess: the last few wrong
 * passwords of an account (as keyed hashes of 64 bits, which die with the process) are recognized
 * and count once. And whoever logs in after some failures has mistyped: those failures are forgiven
 * everywhere. An attacker with an account of his own thus gets back no more than what he has spent
 * on that account.
 *
 * A password counts for the account from the moment when its check begins; a thousand guesses at
 * once over as many connections get no further than one after the other. Address and network count
 * when it has failed: many users who come at once after a restart are no guessers.
 *
 * IPv6: a host has a /64 of addresses, so that is its address here.
 */
#include "auth/penalty_private.h"

#include "auth/limits.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/host_list.h"
#include "net/network.h"

#include <stdlib.h>

#define IPV6_HOST_BITS 64
/* Of a limit that is 0: for the delays. */
#define LEVELS 10

const char *penalty_kind_name(enum penalty_kind kind)
{
    static const char *const names[] = {"address", "network", "account", "account_total"};
    return names[kind];
}

bool penalty_settings_check(const struct penalty_settings *s, struct err *e)
{
    if (s->failure_delay_max < s->failure_delay)
        return err_set(e, ERR_SYNTAX, "failure_delay_max is less than failure_delay");
    return host_list_check(&s->exempt_networks, "exempt_networks", e);
}

void penalties_set(struct penalties *p, const struct penalty_settings *s)
{
    p->settings = *s;
    p->limits[PENALTY_ADDRESS] = s->lockout_address;
    p->limits[PENALTY_NETWORK] = s->lockout_network;
    p->limits[PENALTY_ACCOUNT] = s->lockout_account;
    p->limits[PENALTY_ACCOUNT_TOTAL] = s->lockout_account_total;
    for (int k = 0; k < PENALTY_KINDS; k++)
        penalty_table_set_leak(p->tables[k], p->limits[k] ? (double)p->limits[k] : LEVELS,
                               s->failure_memory);
    penalty_table_set_leak(p->known, 1, s->known_network_time);
    host_set_free(p->exempt);
    p->exempt = host_set_new(&s->exempt_networks, NULL);
    p->settings.exempt_networks = (struct string_list){0}; /* the configuration's */
}

struct penalties *penalties_new(const struct penalty_settings *s)
{
    struct penalties *p = MEM_NEW(struct penalties);
    p->file = (struct kept_file){.form = &penalty_file_form, .arg = p};
    for (int k = 0; k < PENALTY_KINDS; k++)
        p->tables[k] = penalty_table_new();
    p->known = penalty_table_new();
    penalties_set(p, s);
    return p;
}

void penalties_free(struct penalties *p)
{
    if (!p)
        return;
    for (int k = 0; k < PENALTY_KINDS; k++)
        penalty_table_free(p->tables[k]);
    penalty_table_free(p->known);
    host_set_free(p->exempt);
    kept_file_free(&p->file);
    free(p);
}

/* --- names --- */

/* The names under which somebody is counted. */
struct names {
    struct buf text; /* what the others point into */
    struct str of[PENALTY_KINDS];
};

/* "192.0.2.0/24"; of what is no address, itself. */
static void add_network(struct buf *b, const char *address, unsigned bits_v4, unsigned bits_v6)
{
    struct network_address a;
    char text[NETWORK_TEXT_SIZE];
    if (!network_address_parse(&a, str_from_c(address))) {
        buf_add_c(b, address);
        return;
    }
    unsigned bits = a.v6 ? bits_v6 : bits_v4;
    network_address_cut(&a, bits);
    network_address_text(&a, text);
    buf_add_c(b, text);
    if (bits < (a.v6 ? 128u : 32u))
        buf_printf(b, "/%u", bits);
}

static struct str cut(const struct buf *b, size_t from, size_t to)
{
    return str_from(b->p + from, to - from);
}

/* "LOGIN NETWORK", "ADDRESS", one behind the other in one text. */
static void make_names(const struct penalties *p, const struct penalty_who *who, struct names *n)
{
    struct buf *b = &n->text;
    *n = (struct names){.text = BUF_EMPTY};
    struct str login = str_head(who->login, LOG_LOGIN_MAX);
    for (size_t i = 0; i < login.n; i++)
        buf_add_char(b, char_lower(login.p[i]));
    buf_add_char(b, ' ');
    size_t network = b->n;
    add_network(b, who->address, (unsigned)p->settings.network_ipv4,
                (unsigned)p->settings.network_ipv6);
    size_t address = b->n;
    add_network(b, who->address, 32, IPV6_HOST_BITS);
    n->of[PENALTY_ACCOUNT_TOTAL] = cut(b, 0, login.n);
    n->of[PENALTY_ACCOUNT] = cut(b, 0, address);
    n->of[PENALTY_NETWORK] = cut(b, network, address);
    n->of[PENALTY_ADDRESS] = cut(b, address, b->n);
}

static bool is_exempt(const struct penalties *p, const struct penalty_who *who)
{
    return host_set_has(p->exempt, who->address);
}

/* Reached, but for what has leaked since. */
static bool is_full(const struct penalties *p, enum penalty_kind kind,
                    const struct penalty_entry *entry)
{
    return p->limits[kind] > 0 && entry->level > (double)p->limits[kind] - 0.5;
}

/* --- judging --- */

static bool lock_holds(struct penalties *p, const struct names *n, enum penalty_kind kind,
                       usec *left)
{
    const struct penalty_entry *entry = penalty_table_find(p->tables[kind], n->of[kind]);
    if (!entry || !entry->locked_until)
        return false;
    if (left)
        *left = entry->locked_until - entry->updated;
    return true;
}

/* PENALTY_ACCOUNT: he himself is known in the network; PENALTY_NETWORK: somebody is. */
static bool is_known(struct penalties *p, const struct names *n, enum penalty_kind kind)
{
    return penalty_table_find(p->known, n->of[kind]) != NULL;
}

/* Known as whom: see is_known. */
static bool is_locked(struct penalties *p, const struct names *n, enum penalty_kind known,
                      enum penalty_kind *kind, usec *left)
{
    static const enum penalty_kind order[] = {PENALTY_ACCOUNT, PENALTY_ADDRESS, PENALTY_NETWORK,
                                              PENALTY_ACCOUNT_TOTAL};
    for (size_t i = 0; i < PENALTY_KINDS; i++) {
        if (!lock_holds(p, n, order[i], left))
            continue;
        if (order[i] != PENALTY_ACCOUNT && is_known(p, n, known))
            return false;
        if (kind)
            *kind = order[i];
        return true;
    }
    return false;
}

static bool ask(struct penalties *p, const struct penalty_who *who, enum penalty_kind known,
                enum penalty_kind *kind, usec *left)
{
    struct names n;
    if (is_exempt(p, who))
        return false;
    make_names(p, who, &n);
    bool locked = is_locked(p, &n, known, kind, left);
    buf_free(&n.text);
    return locked;
}

bool penalty_is_locked(struct penalties *p, const struct penalty_who *who, enum penalty_kind *kind,
                       usec *left)
{
    return ask(p, who, PENALTY_ACCOUNT, kind, left);
}

bool penalty_is_locked_anyway(struct penalties *p, const struct penalty_who *who)
{
    return ask(p, who, PENALTY_NETWORK, NULL, NULL);
}

/* In proportion to how near the limits are: failure_delay for a tenth of the way. */
static usec delay_of(struct penalties *p, const struct names *n)
{
    double part = 1.0 / LEVELS;
    bool known = is_known(p, n, PENALTY_ACCOUNT);
    for (int k = 0; k < PENALTY_KINDS; k++) {
        const struct penalty_entry *entry = penalty_table_find(p->tables[k], n->of[k]);
        if (!entry || (known && k != PENALTY_ACCOUNT))
            continue;
        double limit = p->limits[k] ? (double)p->limits[k] : LEVELS;
        if (entry->level / limit > part)
            part = entry->level / limit;
    }
    usec delay = (usec)(part * LEVELS * (double)p->settings.failure_delay);
    if (delay > p->settings.failure_delay_max || is_locked(p, n, PENALTY_ACCOUNT, NULL, NULL))
        return p->settings.failure_delay_max;
    return delay;
}

usec penalty_delay(struct penalties *p, const struct penalty_who *who)
{
    struct names n;
    if (is_exempt(p, who))
        return p->settings.failure_delay;
    make_names(p, who, &n);
    usec delay = delay_of(p, &n);
    buf_free(&n.text);
    return delay;
}

/* --- counting --- */

static bool has_secret(const struct penalty_entry *entry, uint64_t secret)
{
    for (size_t i = 0; i < PENALTY_SECRETS; i++)
        if (entry->secrets[i] == secret)
            return true;
    return false;
}

static void keep_secret(struct penalty_entry *entry, uint64_t secret)
{
    entry->secrets[entry->next_secret] = secret;
    entry->next_secret = (entry->next_secret + 1) % PENALTY_SECRETS;
}

bool penalty_begin(struct penalties *p, const struct penalty_who *who, struct str secret,
                   struct penalty_try *t)
{
    struct names n;
    *t = (struct penalty_try){0};
    if (is_exempt(p, who))
        return true;
    make_names(p, who, &n);
    bool free = !is_locked(p, &n, PENALTY_ACCOUNT, NULL, NULL);
    if (free && secret.n > 0) {
        struct str name = n.of[PENALTY_ACCOUNT];
        struct penalty_entry *entry = penalty_table_add(p->tables[PENALTY_ACCOUNT], name);
        t->secret = penalty_table_hash(p->tables[PENALTY_ACCOUNT], name, secret);
        t->repeated = has_secret(entry, t->secret);
        free = t->repeated || !is_full(p, PENALTY_ACCOUNT, entry);
        t->counted = free && !t->repeated;
        if (t->counted) {
            entry->level++;
            keep_secret(entry, t->secret);
        }
    }
    buf_free(&n.text);
    return free;
}

static void count(struct penalties *p, const struct names *n, enum penalty_kind kind, bool counted,
                  const char *id)
{
    struct penalty_entry *entry = penalty_table_add(p->tables[kind], n->of[kind]);
    if (!counted)
        entry->level++;
    if (!is_full(p, kind, entry) || entry->locked_until)
        return;
    entry->locked_until = clock_monotonic() + p->settings.lockout_time;
    log_warning("auth", id, "locked out %s=\"%.*s\" seconds=%lld", penalty_kind_name(kind),
                STR_ARG(n->of[kind]), (long long)(p->settings.lockout_time / USEC_SEC));
}

usec penalty_failed(struct penalties *p, const struct penalty_who *who, const struct penalty_try *t,
                    const char *id)
{
    struct names n;
    if (is_exempt(p, who))
        return p->settings.failure_delay;
    make_names(p, who, &n);
    if (!t->repeated)
        for (int k = 0; k < PENALTY_KINDS; k++)
            count(p, &n, (enum penalty_kind)k, k == PENALTY_ACCOUNT && t->counted, id);
    usec delay = delay_of(p, &n);
    buf_free(&n.text);
    kept_file_changed(&p->file);
    return delay;
}

void penalty_undone(struct penalties *p, const struct penalty_who *who, const struct penalty_try *t)
{
    struct names n;
    if (!t->counted)
        return;
    make_names(p, who, &n);
    struct penalty_entry *entry =
        penalty_table_find(p->tables[PENALTY_ACCOUNT], n.of[PENALTY_ACCOUNT]);
    for (size_t i = 0; entry && i < PENALTY_SECRETS; i++)
        if (entry->secrets[i] == t->secret)
            entry->secrets[i] = 0;
    if (entry)
        entry->level = entry->level > 1 ? entry->level - 1 : 0;
    buf_free(&n.text);
}

/* What was counted for the account from here was counted for the others as well. */
static void take_back(struct penalties *p, const struct names *n, enum penalty_kind kind,
                      double failures)
{
    struct penalty_entry *entry = penalty_table_find(p->tables[kind], n->of[kind]);
    if (!entry)
        return;
    entry->level -= failures;
    if (entry->level <= 0.5 && !entry->locked_until)
        penalty_table_remove(p->tables[kind], entry);
}

void penalty_succeeded(struct penalties *p, const struct penalty_who *who)
{
    struct names n;
    if (is_exempt(p, who))
        return;
    make_names(p, who, &n);
    struct penalty_entry *entry =
        penalty_table_find(p->tables[PENALTY_ACCOUNT], n.of[PENALTY_ACCOUNT]);
    if (entry) {
        double failures = entry->level;
        penalty_table_remove(p->tables[PENALTY_ACCOUNT], entry);
        take_back(p, &n, PENALTY_ADDRESS, failures);
        take_back(p, &n, PENALTY_NETWORK, failures);
        take_back(p, &n, PENALTY_ACCOUNT_TOTAL, failures);
    }
    penalty_table_add(p->known, n.of[PENALTY_ACCOUNT])->level = 1;
    penalty_table_add(p->known, n.of[PENALTY_NETWORK])->level = 1;
    buf_free(&n.text);
    kept_file_changed(&p->file);
}

/* --- for operators --- */

/* From an entry's name back to what it is made of. */
static void take_apart(enum penalty_kind kind, struct str name, struct str *login,
                       struct str *network)
{
    ptrdiff_t space = str_find_last_char(name, ' ');
    *login = *network = STR("");
    if (kind == PENALTY_ACCOUNT_TOTAL) {
        *login = name;
    } else if (kind == PENALTY_ACCOUNT && space >= 0) {
        *login = str_head(name, (size_t)space);
        *network = str_skip(name, (size_t)space + 1);
    } else {
        *network = name;
    }
}

struct walk {
    struct penalties *penalties;
    enum penalty_kind kind;
    void (*fn)(void *arg, const struct penalty_line *line);
    void *arg;
    const struct str *forgive; /* names; NULL: all */
    size_t count;
};

static void tell(void *arg, struct penalty_table *t, struct penalty_entry *entry)
{
    const struct walk *w = arg;
    const struct penalties *p = w->penalties;
    struct penalty_line line = {.kind = w->kind, .failures = entry->level};
    double limit = p->limits[w->kind] ? (double)p->limits[w->kind] : LEVELS;
    (void)t;
    take_apart(w->kind, entry->name, &line.login, &line.network);
    if (entry->locked_until)
        line.locked_for = entry->locked_until - entry->updated;
    line.forgotten_in = (usec)(entry->level / limit * (double)p->settings.failure_memory);
    w->fn(w->arg, &line);
}

void penalty_each(struct penalties *p, void (*fn)(void *arg, const struct penalty_line *line),
                  void *arg)
{
    for (int k = 0; k < PENALTY_KINDS; k++)
        penalty_table_each(
            p->tables[k], tell,
            &(struct walk){.penalties = p, .kind = (enum penalty_kind)k, .fn = fn, .arg = arg});
}

enum { FORGIVE_LOGIN, FORGIVE_HOST, FORGIVE_NETWORK, FORGIVE_NAMES };

static void forgive(void *arg, struct penalty_table *t, struct penalty_entry *entry)
{
    struct walk *w = arg;
    struct str login, network;
    take_apart(w->kind, entry->name, &login, &network);
    bool meant = !w->forgive || (login.n > 0 && str_equal_nocase(login, w->forgive[FORGIVE_LOGIN]));
    for (int i = FORGIVE_HOST; !meant && i < FORGIVE_NAMES; i++)
        meant = network.n > 0 && str_equal(network, w->forgive[i]);
    if (!meant)
        return;
    penalty_table_remove(t, entry);
    w->count++;
}

size_t penalty_forgive(struct penalties *p, struct str what)
{
    struct buf address = BUF_EMPTY;
    struct names n;
    size_t count = 0;
    buf_add_str(&address, what);
    make_names(p, &(struct penalty_who){.address = buf_c(&address), .login = STR("")}, &n);
    struct str names[] = {what, n.of[PENALTY_ADDRESS], n.of[PENALTY_NETWORK]};
    for (int k = 0; k < PENALTY_KINDS; k++) {
        struct walk w = {.kind = (enum penalty_kind)k, .forgive = what.n > 0 ? names : NULL};
        penalty_table_each(p->tables[k], forgive, &w);
        count += w.count;
    }
    buf_free(&n.text);
    buf_free(&address);
    kept_file_changed(&p->file);
    return count;
}
