/*
 * Passwords for programs: a phone, a printer, a script, each with its own, which may be good for
 * some protocols and networks only and can be taken back alone. They belong to a login, whichever
 * source knows the account.
 *
 * The secret is made here: 24 of 23 letters, 108 bits. So it cannot be guessed, and its SHA-256 is
 * all that is needed to recognize it: no slow hash, and one that looks like none is known for that
 * without a look into the database. People may type it with or without its hyphens.
 *
 * When it was used last is kept by the day, beside the login.
 */
#include "auth/app_password.h"

#include "auth/directory_internal.h"
#include "auth/embedded_apply.h"
#include "core/buf.h"
#include "core/loop.h"
#include "core/random.h"
#include "net/network.h"

#include <openssl/sha.h>

#define LETTERS      "abcdefghjkmnpqrstuvwxyz" /* none that is taken for another or for a digit */
#define LETTER_COUNT (sizeof(LETTERS) - 1)
#define SECRET_SIZE  24
#define SECRET_GROUP 4
#define DAY          (24 * 3600)

/* --- secrets --- */

static bool read_secret(struct str text, char secret[SECRET_SIZE])
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = char_lower(text.p[i]);
        if (c == '-' || c == ' ')
            continue;
        if (n == SECRET_SIZE || !memchr(LETTERS, c, LETTER_COUNT))
            return false;
        secret[n++] = c;
    }
    return n == SECRET_SIZE;
}

bool directory_is_app_password(struct str password)
{
    char letters[SECRET_SIZE];
    bool yes = read_secret(password, letters);
    explicit_bzero(letters, sizeof(letters));
    return yes;
}

static struct str hash_secret(struct arena *a, const char secret[SECRET_SIZE])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    struct buf hex = BUF_EMPTY;
    SHA256((const unsigned char *)secret, SECRET_SIZE, digest);
    buf_add_hex(&hex, str_from((const char *)digest, sizeof(digest)));
    struct str hash = arena_str(a, buf_str(&hex));
    buf_free(&hex);
    return hash;
}

static struct str make_secret(struct arena *a, char secret[SECRET_SIZE])
{
    char text[SECRET_SIZE + SECRET_SIZE / SECRET_GROUP];
    size_t n = 0;
    for (size_t i = 0; i < SECRET_SIZE; i++) {
        secret[i] = LETTERS[random_below(LETTER_COUNT)];
        if (i > 0 && i % SECRET_GROUP == 0)
            text[n++] = '-';
        text[n++] = secret[i];
    }
    struct str copy = arena_str(a, str_from(text, n));
    explicit_bzero(text, sizeof(text));
    return copy;
}

/* --- what it is good for --- */

/* In one spelling, separated by spaces. */
static bool normal_networks(struct arena *a, struct str text, struct str *networks, struct err *e)
{
    struct str part, word;
    *networks = STR("");
    while (part = str_split(&text, ','), part.p) {
        while (word = str_word(&part), word.p) {
            struct network network;
            char address[NETWORK_TEXT_SIZE];
            if (!network_parse(&network, word, e))
                return false;
            network_address_text(&network.first, address);
            *networks = arena_printf(a, "%.*s%s%s/%u", STR_ARG(*networks), networks->n ? " " : "",
                                     address, network.bits);
        }
    }
    return networks->n <= APP_NETWORKS_MAX ||
           err_set(e, ERR_LIMIT, "too many networks for one application password");
}

static bool is_from(struct str networks, const char *address)
{
    struct network_address from;
    struct str word;
    if (networks.n == 0)
        return true;
    if (!network_address_parse(&from, str_from_c(address)))
        return false;
    while (word = str_word(&networks), word.p) {
        struct network network;
        struct network_address cut = from;
        if (!network_parse(&network, word, NULL) || network.first.v6 != from.v6)
            continue;
        network_address_cut(&cut, network.bits);
        if (memcmp(cut.bytes, network.first.bytes, from.v6 ? 16 : 4) == 0)
            return true;
    }
    return false;
}

static bool check_label(struct str label, struct err *e)
{
    if (label.n == 0)
        return err_set(e, ERR_SYNTAX, "an application password needs a label");
    return embedded_display_name(label, e);
}

/* --- the database --- */

struct app_order {
    struct str login, label, hash;
    struct app_password password;
    struct arena *arena;
    struct app_password *list;
    size_t count;
    int64_t id, now;
    bool found;
};

static bool add(struct directory_db *db, void *arg, struct err *e)
{
    const struct app_order *o = arg;
    const struct app_password *p = &o->password;
    int64_t count, same;
    if (!sql_number(db, &count, e, "SELECT count(*) FROM app_passwords WHERE login = ?", "s",
                    o->login) ||
        !sql_number(db, &same, e,
                    "SELECT count(*) FROM app_passwords WHERE login = ? AND label = ?", "ss",
                    o->login, o->label))
        return false;
    if (same > 0)
        return sql_exists(e, "application password", o->label);
    if (count >= APP_PASSWORDS_MAX)
        return err_set(e, ERR_LIMIT, "%.*s has %d application passwords already", STR_ARG(o->login),
                       APP_PASSWORDS_MAX);
    return sql_change(db, NULL, e,
                      "INSERT INTO app_passwords (login, label, secret, protocols_off, networks,"
                      " created, expires) VALUES (?, ?, ?, ?, ?, ?, ?)",
                      "sssisii", o->login, o->label, o->hash,
                      (int64_t)(ACCOUNT_ALL_PROTOCOLS & ~p->protocols), p->networks, o->now,
                      p->expires);
}

static bool delete (struct directory_db *db, void *arg, struct err *e)
{
    const struct app_order *o = arg;
    int64_t changed;
    return sql_change(db, &changed, e, "DELETE FROM app_passwords WHERE login = ? AND label = ?",
                      "ss", o->login, o->label) &&
           (changed > 0 || sql_missing(e, "application password", o->label));
}

#define COLUMNS "label, protocols_off, networks, created, expires, last_used, id"

static void read_row(sqlite3_stmt *s, struct arena *a, struct app_password *p)
{
    *p = (struct app_password){.label = sql_text(s, 0, a),
                               .protocols =
                                   ACCOUNT_ALL_PROTOCOLS & ~(unsigned)sqlite3_column_int(s, 1),
                               .networks = sql_text(s, 2, a),
                               .created = sqlite3_column_int64(s, 3),
                               .expires = sqlite3_column_int64(s, 4),
                               .last_used = sqlite3_column_int64(s, 5)};
}

static bool list(struct directory_db *db, void *arg, struct err *e)
{
    struct app_order *o = arg;
    struct sql_rows rows = {.size = sizeof(struct app_password)};
    enum sql_step step = SQL_FAILED;
    sqlite3_stmt *s =
        sql_prepare(db, e, "SELECT " COLUMNS " FROM app_passwords WHERE login = ? ORDER BY label",
                    "s", o->login);
    while (s && (step = sql_step(db, s, e)) == SQL_ROW)
        read_row(s, o->arena, sql_rows_add(&rows, o->arena));
    sqlite3_finalize(s);
    o->list = (struct app_password *)rows.p;
    o->count = rows.count;
    return step == SQL_END;
}

static bool find(struct directory_db *db, void *arg, struct err *e)
{
    struct app_order *o = arg;
    sqlite3_stmt *s =
        sql_prepare(db, e, "SELECT " COLUMNS " FROM app_passwords WHERE login = ? AND secret = ?",
                    "ss", o->login, o->hash);
    enum sql_step step = s ? sql_step(db, s, e) : SQL_FAILED;
    o->found = step == SQL_ROW;
    if (o->found) {
        read_row(s, o->arena, &o->password);
        o->id = sqlite3_column_int64(s, 6);
    }
    sqlite3_finalize(s);
    return step != SQL_FAILED;
}

/* --- as the rest of the server asks --- */

bool directory_add_app_password(struct directory *d, struct str login, const struct app_password *p,
                                struct arena *a, struct str *secret, struct err *e)
{
    char letters[SECRET_SIZE];
    struct app_order o = {.login = login,
                          .label = str_trim(p->label),
                          .password = *p,
                          .now = clock_wall() / USEC_SEC};
    if (!check_label(o.label, e) || !normal_networks(a, p->networks, &o.password.networks, e))
        return false;
    if (p->expires != 0 && p->expires <= o.now)
        return err_set(e, ERR_SYNTAX, "an application password that has expired already");
    *secret = make_secret(a, letters);
    o.hash = hash_secret(a, letters);
    explicit_bzero(letters, sizeof(letters));
    return directory_apply_quietly(d, add, &o, e);
}

bool directory_delete_app_password(struct directory *d, struct str login, struct str label,
                                   struct err *e)
{
    struct app_order o = {.login = login, .label = str_trim(label)};
    return directory_apply_quietly(d, delete, &o, e);
}

bool directory_list_app_passwords(struct directory *d, struct str login, struct arena *a,
                                  struct app_password **passwords, size_t *count, struct err *e)
{
    struct app_order o = {.login = login, .arena = a};
    bool ok = directory_read(d, list, &o, e);
    *passwords = o.list;
    *count = o.count;
    return ok;
}

static const char *why_not(const struct app_order *o, enum account_protocol protocol,
                           const char *address)
{
    const struct app_password *p = &o->password;
    if (p->expires != 0 && p->expires <= o->now)
        return "app_password_expired";
    if (!(p->protocols & (unsigned)protocol))
        return "app_password_protocol";
    return is_from(p->networks, address) ? NULL : "app_password_network";
}

/* Not while the login waits. One note at a time: a day has many logins. */
static bool stamp(struct directory_db *db, void *arg, struct err *e)
{
    const struct directory *d = arg;
    return sql_change(db, NULL, e, "UPDATE app_passwords SET last_used = ? WHERE id = ?", "ii",
                      d->app_passwords.day, d->app_passwords.id);
}

static void run_stamp(void *arg)
{
    struct directory *d = arg;
    directory_apply_quietly(d, stamp, d, NULL); /* the next login tries again */
    d->app_passwords.writer = NULL;
    cond_broadcast(&d->app_passwords.written);
}

static void note_use(struct directory *d, const struct app_order *o)
{
    int64_t day = o->now - o->now % DAY;
    if (o->password.last_used == day || d->app_passwords.writer)
        return;
    d->app_passwords.day = day;
    d->app_passwords.id = o->id;
    d->app_passwords.writer = fiber_start(loop_current(), "app password", run_stamp, d);
}

void app_passwords_close(struct directory *d)
{
    while (d->app_passwords.writer)
        cond_wait_certain(&d->app_passwords.written);
}

enum lookup directory_check_app_password(struct directory *d, struct str login, struct str password,
                                         enum account_protocol protocol, const char *address,
                                         struct err *e)
{
    char letters[SECRET_SIZE];
    struct app_order o = {.login = login, .now = clock_wall() / USEC_SEC};
    const char *reason = NULL;
    if (!read_secret(password, letters)) {
        err_set(e, ERR_NOT_FOUND, "no application password");
        return LOOKUP_NOT_FOUND;
    }
    o.arena = arena_new();
    o.hash = hash_secret(o.arena, letters);
    explicit_bzero(letters, sizeof(letters));
    bool ok = directory_read(d, find, &o, e);
    if (ok && o.found && !(reason = why_not(&o, protocol, address)))
        note_use(d, &o);
    arena_free(o.arena);
    if (!ok)
        return LOOKUP_TEMPFAIL;
    if (o.found && !reason)
        return LOOKUP_FOUND;
    err_set(e, reason ? ERR_DENIED : ERR_NOT_FOUND, "%s", reason ? reason : "no such password");
    return LOOKUP_NOT_FOUND;
}
