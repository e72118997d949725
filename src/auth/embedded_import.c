/*
 * Import: all records or none. Passwords in clear are hashed first; then one transaction makes the
 * changes, domains before users, those before groups, addresses and the rest, whatever their order
 * in the file. A record that is wrong is noted and the others are tried all the same, so that one
 * run tells of all mistakes; at the end everything is taken back. A dry run ends in the same way.
 *
 * Whether a record changes anything is found out by looking: what is there already and is as it
 * should be is left alone, so the same file can be imported again and again.
 */
#include "auth/embedded_import.h"

#include "auth/directory_internal.h"
#include "auth/embedded_group.h"
#include "auth/embedded_user.h"
#include "auth/password.h"
#include "core/config_unit.h"

#include <stdlib.h>

/* --- texts --- */

bool import_flag(struct str text, const char *what, bool *set, bool *value, struct err *e)
{
    *set = text.n > 0;
    *value = str_equal_nocase(text, STR("yes")) || str_equal_nocase(text, STR("true")) ||
             str_equal(text, STR("1"));
    bool no = text.n == 0 || str_equal_nocase(text, STR("no")) ||
              str_equal_nocase(text, STR("false")) || str_equal(text, STR("0"));
    return *value || no ||
           err_set(e, ERR_SYNTAX, "%s: \"%.*s\" is neither yes nor no", what,
                   STR_ARG(str_head(text, 40)));
}

bool import_quota(struct str text, bool *set, int64_t *quota, struct err *e)
{
    uint64_t number;
    *quota = QUOTA_KEEP;
    if (text.n == 0)
        return true;
    *set = true;
    *quota = QUOTA_DEFAULT;
    if (str_equal_nocase(text, STR("default")))
        return true;
    *quota = 0;
    if (str_equal_nocase(text, STR("none")))
        return true;
    if (str_to_u64(text, &number) && number <= INT64_MAX) {
        *quota = (int64_t)number;
        return true;
    }
    return unit_parse_size(text, quota) ||
           err_set(e, ERR_SYNTAX, "quota: \"%.*s\" is no size", STR_ARG(str_head(text, 40)));
}

struct str import_text(struct str text)
{
    if (text.n == 0)
        return (struct str){NULL, 0};
    return str_equal(text, STR("-")) ? STR("") : text;
}

size_t import_list(const struct str *list, size_t count, bool *set)
{
    *set = count > 0;
    return count == 1 && str_equal(list[0], STR("-")) ? 0 : count;
}

bool import_address_name(struct arena *a, struct str text, struct name *name, struct str *address,
                         struct err *e)
{
    const char *reason = "domain missing";
    if (!name_parse(a, text, name, &reason) || name->domain.n == 0)
        return err_set(e, ERR_SYNTAX, "\"%.*s\": %s", STR_ARG(str_head(text, 80)), reason);
    *address = name_text(a, name);
    return true;
}

bool import_same_list(const struct str *left, size_t left_count,
                      const struct embedded_address *right, size_t right_count)
{
    bool same = left_count == right_count;
    for (size_t i = 0; same && i < right_count; i++) {
        bool found = false;
        for (size_t j = 0; !found && j < left_count; j++)
            found = str_equal(left[(i + j) % left_count], right[i].text);
        same = found;
    }
    return same;
}

/* --- passwords --- */

static bool check_cram_md5(struct arena *a, struct str hex, struct err *e)
{
    return hex.n == 0 || password_cram_md5_bytes(a, hex).n > 0 ||
           err_set(e, ERR_SYNTAX, "cram_md5: %d hexadecimal digits are expected",
                   2 * CRAM_MD5_SIZE);
}

/* PASSWORD_CLEAR is left in hash, to be made into one. */
static bool take_password(struct arena *a, const struct directory_record *r,
                          struct embedded_password *p, enum password_kind *kind, struct err *e)
{
    struct buf hash = BUF_EMPTY;
    *kind = PASSWORD_HASH;
    if ((r->scram_sha256.n > 0 && !password_scram_check(r->scram_sha256, e)) ||
        (r->scram_sha1.n > 0 && !password_scram_check(r->scram_sha1, e)) ||
        !check_cram_md5(a, r->cram_md5, e))
        return false;
    bool ok = r->password.n == 0 || password_from_scheme(r->password, kind, &hash, e);
    *p = (struct embedded_password){.hash = arena_str(a, buf_str(&hash)),
                                    .scram_sha1 = r->scram_sha1,
                                    .scram_sha256 = r->scram_sha256,
                                    .cram_md5 = r->cram_md5};
    if (hash.n > 0)
        explicit_bzero(hash.p, hash.n);
    buf_free(&hash);
    if (!p->hash.n && p->scram_sha256.n > 0)
        p->hash = p->scram_sha256;
    if (str_starts_with(p->hash, STR("SCRAM-SHA-256$")) && p->scram_sha256.n == 0)
        p->scram_sha256 = p->hash;
    if (str_starts_with(p->hash, STR("SCRAM-SHA-1$")) && p->scram_sha1.n == 0)
        p->scram_sha1 = p->hash;
    return ok;
}

static void mark_wrong(struct importing *x, size_t i, const struct err *why)
{
    if (x->results[i].change == RECORD_WRONG)
        return;
    x->results[i] = (struct record_result){.change = RECORD_WRONG,
                                           .error = arena_c(x->arena, str_from_c(why->text))};
    x->wrong++;
}

/* --- one record --- */

static bool user_differs(const struct source_account *now, const struct user_order *o)
{
    const struct directory_user_change *c = &o->change;
    const struct account *account = &now->account;
    const struct embedded_password *p = &o->password;
    return (c->name.p && !str_equal(c->name, account->name)) ||
           (c->set_disabled && c->disabled != (account->no_login != NULL)) ||
           (c->set_protocols && c->protocols != account->protocols) ||
           (c->set_keep_copy && c->keep_copy != account->keep_copy) ||
           (c->quota_storage != QUOTA_KEEP && c->quota_storage != account->quota_storage) ||
           (c->quota_messages != QUOTA_KEEP && c->quota_messages != account->quota_messages) ||
           (c->set_forwards && !import_same_list(account->forwards, account->forward_count,
                                                 o->forwards, o->forward_count)) ||
           (p->hash.n > 0 && !str_equal(p->hash, str_from_c(now->hash)));
}

static bool fill_user(struct arena *a, const struct directory_record *r, struct user_order *o,
                      struct err *e)
{
    struct directory_user_change c = {.name = import_text(r->name)};
    c.set_protocols = r->protocols.n > 0;
    c.forwards = r->forwards;
    c.forward_count = import_list(r->forwards, r->forward_count, &c.set_forwards);
    return import_address_name(a, r->address, &o->name, &o->login, e) &&
           import_flag(r->disabled, "disabled", &c.set_disabled, &c.disabled, e) &&
           import_flag(r->keep_copy, "keep_copy", &c.set_keep_copy, &c.keep_copy, e) &&
           account_protocols_parse(r->protocols, &c.protocols, e) &&
           import_quota(r->quota_storage, &c.set_quota, &c.quota_storage, e) &&
           import_quota(r->quota_messages, &c.set_quota, &c.quota_messages, e) &&
           user_order_fill(o, a, &c, e);
}

static bool import_user(struct directory_db *db, struct importing *x, size_t i, struct err *e)
{
    struct user_order o = {.password = x->passwords[i]};
    struct source_account now = {.hash = ""};
    if (!fill_user(x->arena, &x->records[i], &o, e))
        return false;
    switch (directory_db_find_account(db, o.login, x->arena, &now, e)) {
    case LOOKUP_TEMPFAIL:
        return false;
    case LOOKUP_NOT_FOUND:
        x->results[i].change = RECORD_ADDED;
        if (o.password.hash.n == 0)
            return err_set(e, ERR_SYNTAX, "a new user needs a password");
        return user_db_add(db, &o, e);
    case LOOKUP_FOUND:
        break;
    }
    if (!user_differs(&now, &o))
        return true;
    import_changes(x, i, record_of_user(x->arena, &now));
    struct password_order p = {.login = o.login, .password = o.password};
    bool same = o.password.hash.n == 0 || str_equal(o.password.hash, str_from_c(now.hash));
    return user_db_set(db, &o, e) && (same || password_db_set(db, &p, e));
}

static bool group_differs(const struct directory_group *now, const struct group_order *o,
                          bool set_members)
{
    const struct directory_group_change *c = &o->change;
    return (c->name.p && !str_equal(c->name, now->name)) ||
           (c->set_disabled && c->disabled != now->disabled) ||
           (c->set_internal && c->internal != now->internal) ||
           (c->set_members_only && c->members_only != now->members_only) ||
           (c->set_send_as && c->send_as != now->send_as) ||
           (c->public_mailbox.p && !str_equal(c->public_mailbox, now->public_mailbox)) ||
           (set_members &&
            !import_same_list(now->members, now->member_count, o->members, o->member_count));
}

static bool import_group(struct directory_db *db, struct importing *x, size_t i, struct err *e)
{
    const struct directory_record *r = &x->records[i];
    struct directory_group_change c = {.name = import_text(r->name),
                                       .public_mailbox = import_text(r->public_mailbox)};
    struct group_order o;
    struct directory_group now;
    bool set_members;
    size_t count = import_list(r->members, r->member_count, &set_members);
    if (!import_address_name(x->arena, r->address, &o.name, &o.address, e) ||
        !import_flag(r->disabled, "disabled", &c.set_disabled, &c.disabled, e) ||
        !import_flag(r->internal, "internal", &c.set_internal, &c.internal, e) ||
        !import_flag(r->members_only, "members_only", &c.set_members_only, &c.members_only, e) ||
        !import_flag(r->send_as, "send_as", &c.set_send_as, &c.send_as, e) ||
        !group_order_fill(&o, x->arena, &c, r->members, count, e))
        return false;
    switch (group_db_get(db, o.address, x->arena, &now, e)) {
    case LOOKUP_TEMPFAIL:
        return false;
    case LOOKUP_NOT_FOUND:
        x->results[i].change = RECORD_ADDED;
        return group_db_add(db, &o, e);
    case LOOKUP_FOUND:
        break;
    }
    if (!group_differs(&now, &o, set_members))
        return true;
    import_changes(x, i, record_of_group(&now));
    return group_db_set(db, &o, e) && (!set_members || group_db_replace_members(db, &o, e));
}

/* --- all of them --- */

void import_changes(struct importing *x, size_t i, struct directory_record before)
{
    x->results[i].change = RECORD_CHANGED;
    x->before = before;
}

static bool import_one(struct directory_db *db, struct importing *x, size_t i, struct err *e)
{
    switch (x->records[i].kind) {
    case RECORD_DOMAIN:
        return import_domain(db, x, i, e);
    case RECORD_USER:
        return import_user(db, x, i, e);
    case RECORD_GROUP:
        return import_group(db, x, i, e);
    case RECORD_ADDRESS:
        return import_address(db, x, i, e);
    case RECORD_RULE:
        return import_rule(db, x, i, e);
    case RECORD_SEND_AS:
        return import_send_as(db, x, i, e);
    default:
        return import_group_settings(db, x, i, e);
    }
}

/* What was changed is seen by looking at it before and after. */
static bool import_record(struct directory_db *db, struct importing *x, size_t i, struct err *e)
{
    struct directory_record after;
    struct record_result *result = &x->results[i];
    if (!import_one(db, x, i, e))
        return false;
    if (result->change != RECORD_CHANGED)
        return true;
    if (!record_read(db, x->before.kind, x->before.address, x->arena, &after, e))
        return false;
    record_compare(&x->before, &after, x->arena, result);
    return true;
}

static bool is_fatal(const struct err *e)
{
    return e->kind == ERR_IO || e->kind == ERR_NO_SPACE || e->kind == ERR_TEMP;
}

static bool is_alias(const struct directory_record *r)
{
    return r->kind == RECORD_DOMAIN && r->alias_of.n > 0;
}

/* Those of one kind; domains that are aliases apart, behind what they are aliases of. */
static bool import_kind(struct directory_db *db, struct importing *x, enum record_kind kind,
                        bool aliases, struct err *e)
{
    for (size_t i = 0; i < x->count; i++) {
        struct err why = {0};
        const struct directory_record *r = &x->records[i];
        if (r->kind != kind || is_alias(r) != aliases || x->results[i].change == RECORD_WRONG ||
            import_record(db, x, i, &why))
            continue;
        if (is_fatal(&why)) {
            *e = why;
            return false;
        }
        mark_wrong(x, i, &why);
    }
    return true;
}

struct named {
    struct str key;
    size_t i;
};

static int compare_named(const void *left, const void *right)
{
    const struct named *x = left, *y = right;
    int order = str_compare(x->key, y->key);
    return order ? order : x->i < y->i ? -1 : 1;
}

/* Users, groups and addresses share their names; the others have names of their own. */
static struct str twin_key(struct arena *a, const struct directory_record *r)
{
    bool shared = r->kind == RECORD_USER || r->kind == RECORD_GROUP || r->kind == RECORD_ADDRESS;
    struct str name = r->kind == RECORD_RULE ? r->address : arena_lower(a, r->address);
    return arena_printf(a, "%c%.*s", 'a' + (int)(shared ? RECORD_USER : r->kind), STR_ARG(name));
}

/* Which of two records would count, nobody can say. */
static void find_twins(struct importing *x)
{
    struct named *names = arena_array(x->arena, x->count, sizeof(*names));
    for (size_t i = 0; i < x->count; i++)
        names[i] = (struct named){twin_key(x->arena, &x->records[i]), i};
    if (x->count > 1)
        qsort(names, x->count, sizeof(*names), compare_named);
    for (size_t i = 1; i < x->count; i++) {
        struct err why;
        if (!str_equal(names[i].key, names[i - 1].key))
            continue;
        err_set(&why, ERR_EXISTS, "%.*s is in line %lld already",
                STR_ARG(str_skip(names[i].key, 1)), (long long)x->records[names[i - 1].i].line);
        mark_wrong(x, names[i].i, &why);
    }
}

/* On a worker. What the database fails at ends it; what is wrong with a record does not. */
static bool import_all(struct directory_db *db, void *arg, struct err *e)
{
    struct importing *x = arg;
    find_twins(x);
    for (enum record_kind kind = 0; kind < RECORD_KINDS; kind++)
        if (!import_kind(db, x, kind, false, e) ||
            (kind == RECORD_DOMAIN && !import_kind(db, x, kind, true, e)))
            return false;
    if (x->wrong > 0)
        return err_set(e, ERR_SYNTAX, "%zu of %zu records are wrong; nothing was changed", x->wrong,
                       x->count);
    return !x->dry_run || err_set(e, ERR_CANCELLED, "dry run");
}

static SUSPENDS bool make_passwords(struct directory *d, struct importing *x,
                                    bool (*progress)(void *arg, size_t done, size_t of), void *arg,
                                    struct err *e)
{
    for (size_t i = 0; i < x->count; i++) {
        struct err why = {0};
        enum password_kind kind;
        struct embedded_password *p = &x->passwords[i];
        if (x->records[i].kind != RECORD_USER)
            continue;
        bool ok = take_password(x->arena, &x->records[i], p, &kind, &why);
        if (ok && kind == PASSWORD_CLEAR && x->dry_run)
            p->hash = STR("-"); /* never into the file, not even to be taken back */
        else if (ok && kind == PASSWORD_CLEAR)
            ok = embedded_password_make(x->arena, p->hash, d->passwords.store_cram_md5, p, &why);
        if (!ok)
            mark_wrong(x, i, &why);
        if (progress && !progress(arg, i, x->count))
            return err_set(e, ERR_CANCELLED, "cancelled");
    }
    return true;
}

bool directory_import(struct directory *d, const struct directory_record *records, size_t count,
                      bool dry_run, struct arena *a, struct record_result *results,
                      bool (*progress)(void *arg, size_t done, size_t of), void *arg, struct err *e)
{
    struct importing x = {
        .records = records, .count = count, .dry_run = dry_run, .arena = a, .results = results};
    struct err why = {0};
    memset(results, 0, count * sizeof(*results));
    x.passwords = arena_array(a, count, sizeof(*x.passwords));
    if (!make_passwords(d, &x, progress, arg, e))
        return false;
    if (directory_apply(d, import_all, &x, &why) ||
        (dry_run && x.wrong == 0 && why.kind == ERR_CANCELLED))
        return true;
    if (e)
        *e = why;
    return false;
}
