/*
 * A password of a user is kept as a yescrypt hash, as verifiers for SCRAM, and, if the settings
 * want that, as the state of CRAM-MD5. Who came here with a hash of another system has no
 * verifiers; the next login that shows the password is when they can be made.
 *
 * That happens beside the login: a queue of those who wait, and one fiber that makes and writes
 * them, one after the other. Each is written only while the old hash is still there, so a password
 * that has been set meanwhile stays. What fails is tried again with the next login.
 */
#include "auth/embedded_password.h"

#include "auth/directory_internal.h"
#include "auth/password.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"
#include "core/worker.h"

/* --- what is kept of one --- */

struct making {
    struct str password;
    bool cram_md5, ok;
    struct buf hash, scram_sha1, scram_sha256, cram;
    struct err error;
};

static void make_on_worker(void *arg)
{
    struct making *m = arg;
    m->ok = password_hash(m->password, &m->hash, &m->error) &&
            password_scram_sha256(m->password, &m->scram_sha256, &m->error) &&
            password_scram_sha1(m->password, &m->scram_sha1, &m->error);
    if (m->ok && m->cram_md5)
        password_cram_md5(m->password, &m->cram);
}

static struct str take(struct arena *a, struct buf *b)
{
    struct str copy = arena_str(a, buf_str(b));
    if (b->n > 0)
        explicit_bzero(b->p, b->n);
    buf_free(b);
    return copy;
}

bool embedded_password_make(struct arena *a, struct str password, bool cram_md5,
                            struct embedded_password *made, struct err *e)
{
    struct making m = {.password = password, .cram_md5 = cram_md5};
    struct buf hex = BUF_EMPTY;
    if (!password_check_form(password, e))
        return false;
    worker_run(WORKER_AUTH, make_on_worker, &m);
    made->hash = take(a, &m.hash);
    made->scram_sha1 = take(a, &m.scram_sha1);
    made->scram_sha256 = take(a, &m.scram_sha256);
    buf_add_hex(&hex, take(a, &m.cram));
    made->cram_md5 = take(a, &hex);
    if (!m.ok && e)
        *e = m.error;
    return m.ok;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct str password_cram_md5_bytes(struct arena *a, struct str hex)
{
    char bytes[CRAM_MD5_SIZE];
    if (hex.n != 2 * sizeof(bytes))
        return STR("");
    for (size_t i = 0; i < sizeof(bytes); i++) {
        int high = digit(hex.p[2 * i]), low = digit(hex.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return STR("");
        bytes[i] = (char)(high << 4 | low);
    }
    return arena_str(a, str_from(bytes, sizeof(bytes)));
}

static bool keep_old(struct directory_db *db, const struct password_order *o, struct err *e)
{
    return sql_change(db, NULL, e,
                      "INSERT INTO old_passwords (user, hash)"
                      " SELECT id, password FROM users WHERE login = ? AND ? > 0",
                      "si", o->login, o->history) &&
           sql_change(db, NULL, e,
                      "DELETE FROM old_passwords WHERE user = (SELECT id FROM users WHERE login = "
                      "?1) AND id NOT IN (SELECT id FROM old_passwords WHERE user = (SELECT id FROM"
                      " users WHERE login = ?1) ORDER BY id DESC LIMIT ?2)",
                      "si", o->login, o->history);
}

bool password_db_set(struct directory_db *db, void *arg, struct err *e)
{
    const struct password_order *o = arg;
    const struct embedded_password *p = &o->password;
    struct str before = str_from_c(o->instead_of);
    int64_t changed;
    if (!o->instead_of && !keep_old(db, o, e))
        return false;
    if (!sql_change(db, &changed, e,
                    "UPDATE users SET password = ?1, scram_sha256 = ?2, scram_sha1 = ?3,"
                    " cram_md5 = ?4, password_set = iif(?5 = '', ?6, password_set)"
                    " WHERE login = ?7 AND (?5 = '' OR password = ?5)",
                    "sssssis", p->hash, p->scram_sha256, p->scram_sha1, p->cram_md5, before,
                    clock_wall() / USEC_SEC, o->login))
        return false;
    return changed > 0 || sql_missing(e, "user", o->login);
}

bool directory_set_embedded_password(struct directory *d, struct str login, struct str password,
                                     struct err *e)
{
    struct arena *a = arena_new();
    struct name name;
    struct password_order o = {.login = STR("")};
    if (d->passwords.policy)
        o.history = d->passwords.policy->settings.history;
    bool ok = directory_own_name(d, login, a, &name, &o.login, e) &&
              embedded_password_make(a, password, d->passwords.store_cram_md5, &o.password, e) &&
              directory_apply(d, password_db_set, &o, e);
    arena_free(a);
    return ok;
}

/* --- the policy --- */

struct judging {
    const struct password_policy *policy;
    struct str login, name, password;
    struct arena *arena;
    struct str *former; /* hashes */
    size_t former_count;
    bool ok;
    struct err error;
};

static bool read_former(struct directory_db *db, void *arg, struct err *e)
{
    struct judging *j = arg;
    struct sql_rows rows = {.size = sizeof(struct str)};
    enum sql_step step = SQL_FAILED;
    sqlite3_stmt *s = sql_prepare(
        db, e,
        "SELECT password FROM users WHERE login = ?1 AND ?2 > 0 UNION ALL SELECT * FROM (SELECT "
        "hash FROM old_passwords WHERE user = (SELECT id FROM users WHERE login = ?1)"
        " ORDER BY old_passwords.id DESC LIMIT max(?2 - 1, 0))",
        "si", j->login, j->policy->settings.history);
    while (s && (step = sql_step(db, s, e)) == SQL_ROW)
        *(struct str *)sql_rows_add(&rows, j->arena) = sql_text(s, 0, j->arena);
    sqlite3_finalize(s);
    j->former = (struct str *)rows.p;
    j->former_count = rows.count;
    return step == SQL_END;
}

static void judge_on_worker(void *arg)
{
    struct judging *j = arg;
    j->ok = password_policy_check(j->policy, j->login, j->name, j->password, &j->error);
    for (size_t i = 0; j->ok && i < j->former_count; i++)
        if (password_verify(j->password, j->former[i].p) == PASSWORD_RIGHT)
            j->ok = err_set(&j->error, ERR_PERM, "the password has been used before");
}

bool directory_check_new_password(struct directory *d, struct str login, struct str name,
                                  struct str password, struct err *e)
{
    struct judging j = {.policy = d->passwords.policy, .name = name, .password = password};
    if (!password_check_form(password, e))
        return false;
    if (!j.policy)
        return true;
    j.arena = arena_new();
    j.login = login;
    struct str full;
    if (directory_full_name(d, login, j.arena, &full))
        j.login = full;
    /* The policy may be another one when this is over. */
    struct password_policy *policy = password_policy_new(&j.policy->settings);
    j.policy = policy;
    bool ok = directory_read(d, read_former, &j, e);
    if (ok) {
        worker_run(WORKER_AUTH, judge_on_worker, &j);
        ok = j.ok;
        if (!ok && e)
            *e = j.error;
    }
    password_policy_free(policy);
    arena_free(j.arena);
    return ok;
}

void directory_set_password_policy(struct directory *d, const struct password_policy_settings *s)
{
    password_policy_free(d->passwords.policy);
    d->passwords.policy = password_policy_new(s);
    embedded_set_password_max_age(d->embedded, s->max_age);
    directory_changed(d);
}

/* --- made anew beside a login --- */

struct password_upgrade {
    struct password_upgrade *next;
    struct arena *arena;
    struct str login, password;
    const char *hash;
};

static void upgrade_free(struct password_upgrade *u)
{
    explicit_bzero((char *)u->password.p, u->password.n);
    arena_free(u->arena);
}

static SUSPENDS void upgrade(struct directory *d, struct password_upgrade *u)
{
    struct password_order o = {.login = u->login, .instead_of = u->hash};
    struct err e;
    if (embedded_password_make(u->arena, u->password, d->passwords.store_cram_md5, &o.password,
                               &e) &&
        directory_apply(d, password_db_set, &o, &e))
        log_info("auth", NULL, "password hash renewed user=<%.*s>", STR_ARG(u->login));
    else if (e.kind != ERR_NOT_FOUND)
        log_warning("auth", NULL, "password hash not renewed user=<%.*s> reason=\"%s\"",
                    STR_ARG(u->login), e.text);
}

static void run_upgrades(void *arg)
{
    struct directory *d = arg;
    struct embedded_passwords *p = &d->passwords;
    while (p->upgrades) {
        struct password_upgrade *u = p->upgrades;
        upgrade(d, u);
        p->upgrades = u->next;
        p->upgrade_count--;
        upgrade_free(u);
    }
    p->upgrader = NULL;
    cond_broadcast(&p->upgraded);
}

static bool is_waiting(const struct embedded_passwords *p, struct str login,
                       struct password_upgrade ***end)
{
    for (*end = (struct password_upgrade **)&p->upgrades; **end; *end = &(**end)->next)
        if (str_equal((**end)->login, login))
            return true;
    return false;
}

void embedded_password_upgrade(struct directory *d, struct str login, const char *hash,
                               struct str password)
{
    struct embedded_passwords *p = &d->passwords;
    struct password_upgrade **end;
    if (password_is_current(hash) || p->upgrade_count >= UPGRADES_WAITING_MAX ||
        is_waiting(p, login, &end))
        return;
    struct arena *a = arena_new();
    struct password_upgrade *u = ARENA_NEW(a, struct password_upgrade);
    u->arena = a;
    u->login = arena_str(a, login);
    u->password = arena_str(a, password);
    u->hash = arena_c(a, str_from_c(hash));
    *end = u;
    p->upgrade_count++;
    if (!p->upgrader)
        p->upgrader = fiber_start(loop_current(), "password upgrade", run_upgrades, d);
}

void embedded_passwords_close(struct directory *d)
{
    struct embedded_passwords *p = &d->passwords;
    struct password_upgrade **waiting = &p->upgrades;
    if (p->upgrader && p->upgrades)
        waiting = &p->upgrades->next; /* the first one is at work */
    while (*waiting) {
        struct password_upgrade *u = *waiting;
        *waiting = u->next;
        upgrade_free(u);
    }
    while (p->upgrader)
        cond_wait_certain(&p->upgraded);
    password_policy_free(p->policy);
    p->policy = NULL;
}
