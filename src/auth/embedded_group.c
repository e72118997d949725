/*
 * Groups: addresses of ours that lead to members. A member is an address here or elsewhere, or a
 * group inside. Where the mail goes is asked of the database in one recursive query whose steps are
 * a set: a group that was reached is not entered again, so loops end. A group inside whose mail
 * goes to a public mailbox is a member as it stands: who asks on hears of the mailbox.
 *
 * Members are kept as they were given (only their own server may fold the case of a local part) and
 * by a key in which they compare.
 */
#include "auth/embedded_group.h"

#include "auth/directory_internal.h"
#include "auth/embedded_domain.h"
#include "auth/embedded_group_settings.h"
#include "auth/embedded_send_as.h"
#include "auth/special.h"

/* --- look-ups --- */

static void read_group(sqlite3_stmt *s, struct arena *a, struct directory_group *group)
{
    *group = (struct directory_group){.address = sql_text(s, 0, a),
                                      .name = sql_text(s, 1, a),
                                      .disabled = sqlite3_column_int(s, 2) != 0,
                                      .internal = sqlite3_column_int(s, 3) != 0,
                                      .members_only = sqlite3_column_int(s, 4) != 0,
                                      .send_as = sqlite3_column_int(s, 5) != 0,
                                      .public_mailbox = sql_text(s, 6, a),
                                      .source = EMBEDDED_NAME};
}

#define COLUMNS                                                                                    \
    "mail_groups.address, mail_groups.name, disabled, internal, members_only, send_as, "           \
    "public_mailbox"

static enum lookup find_row(struct directory_db *db, struct str address, struct arena *a,
                            struct directory_group *group, struct err *e)
{
    sqlite3_stmt *s =
        sql_prepare(db, e, "SELECT " COLUMNS " FROM mail_groups WHERE address = ?", "s", address);
    enum sql_step step = s ? sql_step(db, s, e) : SQL_FAILED;
    if (step == SQL_ROW)
        read_group(s, a, group);
    sqlite3_finalize(s);
    return sql_lookup(step);
}

enum lookup group_db_find(struct directory_db *db, struct str address, struct arena *a,
                          struct directory_group *group, struct err *e)
{
    enum lookup status = find_row(db, address, a, group, e);
    if (status != LOOKUP_FOUND)
        return status;
    sqlite3_stmt *s = sql_prepare(
        db, e,
        "WITH RECURSIVE inside (address) AS (SELECT ?1 UNION"
        " SELECT members.key FROM inside JOIN members ON members.address = inside.address"
        " JOIN mail_groups ON mail_groups.address = members.key"
        " WHERE mail_groups.disabled = 0 AND mail_groups.public_mailbox = '')"
        "SELECT min(member) FROM inside JOIN members ON members.address = inside.address"
        " WHERE key NOT IN (SELECT address FROM mail_groups WHERE disabled <> 0 OR"
        " public_mailbox = '') GROUP BY key ORDER BY key LIMIT ?2",
        "si", address, (int64_t)GROUP_MEMBERS_MAX + 1);
    if (!sql_read_texts(db, s, a, &group->members, &group->member_count, e))
        return LOOKUP_TEMPFAIL;
    if (group->member_count <= GROUP_MEMBERS_MAX)
        return LOOKUP_FOUND;
    err_set(e, ERR_LIMIT, "the group %.*s has more than %d members", STR_ARG(address),
            GROUP_MEMBERS_MAX);
    return LOOKUP_TEMPFAIL;
}

bool group_db_memberships(struct directory_db *db, struct str login, struct arena *a,
                          struct str **groups, size_t *count, struct err *e)
{
    sqlite3_stmt *s = sql_prepare(
        db, e,
        "WITH RECURSIVE around (address) AS ("
        " SELECT address FROM members WHERE key = ?1 UNION"
        " SELECT members.address FROM destinations JOIN members ON members.key = "
        "destinations.address WHERE destination = ?1 COLLATE NOCASE UNION"
        " SELECT members.address FROM around JOIN members ON members.key = around.address)"
        "SELECT address FROM around ORDER BY address",
        "s", login);
    return sql_read_texts(db, s, a, groups, count, e);
}

static bool read_members(struct directory_db *db, struct arena *a, struct directory_group *group,
                         struct err *e)
{
    sqlite3_stmt *s = sql_prepare(
        db, e, "SELECT member FROM members WHERE address = ? ORDER BY key", "s", group->address);
    return sql_read_texts(db, s, a, &group->members, &group->member_count, e);
}

enum lookup group_db_get(struct directory_db *db, struct str address, struct arena *a,
                         struct directory_group *group, struct err *e)
{
    enum lookup status = find_row(db, address, a, group, e);
    return status == LOOKUP_FOUND && !read_members(db, a, group, e) ? LOOKUP_TEMPFAIL : status;
}

bool group_db_list(struct directory_db *db, struct str domain, struct arena *a,
                   struct directory_group **list, size_t *count, struct err *e)
{
    struct sql_rows rows = {.size = sizeof(struct directory_group)};
    enum sql_step step = SQL_FAILED;
    sqlite3_stmt *s =
        sql_prepare(db, e,
                    "SELECT " COLUMNS " FROM mail_groups JOIN domains ON domains.id = domain"
                    " WHERE ?1 = '' OR domains.name = ?1 ORDER BY domains.name, address",
                    "s", domain);
    while (s && (step = sql_step(db, s, e)) == SQL_ROW)
        read_group(s, a, sql_rows_add(&rows, a));
    sqlite3_finalize(s);
    *list = (struct directory_group *)rows.p;
    *count = rows.count;
    bool ok = step == SQL_END;
    for (size_t i = 0; ok && i < *count; i++)
        ok = read_members(db, a, &(*list)[i], e);
    return ok;
}

/* --- changes --- */

static bool exists(struct directory_db *db, struct str address, struct err *e)
{
    int64_t count;
    return sql_number(db, &count, e, "SELECT count(*) FROM mail_groups WHERE address = ?", "s",
                      address) &&
           (count > 0 || sql_missing(e, "group", address));
}

bool group_db_set(struct directory_db *db, void *arg, struct err *e)
{
    const struct group_order *o = arg;
    const struct directory_group_change *c = &o->change;
    return exists(db, o->address, e) &&
           sql_change(db, NULL, e,
                      "UPDATE mail_groups SET name = iif(?1, ?2, name),"
                      " disabled = iif(?3, ?4, disabled), internal = iif(?5, ?6, internal),"
                      " members_only = iif(?7, ?8, members_only), send_as = iif(?9, ?10, send_as),"
                      " public_mailbox = iif(?11, ?12, public_mailbox) WHERE address = ?13",
                      "isiiiiiiiiiss", (int64_t)(c->name.p != NULL), c->name,
                      (int64_t)c->set_disabled, (int64_t)c->disabled, (int64_t)c->set_internal,
                      (int64_t)c->internal, (int64_t)c->set_members_only, (int64_t)c->members_only,
                      (int64_t)c->set_send_as, (int64_t)c->send_as,
                      (int64_t)(c->public_mailbox.p != NULL), c->public_mailbox, o->address);
}

static bool add_member(struct directory_db *db, const struct group_order *o,
                       const struct embedded_address *member, bool again, struct err *e)
{
    int64_t changed;
    if (str_equal(member->key, o->address))
        return err_set(e, ERR_SYNTAX, "the group %.*s cannot be in itself", STR_ARG(o->address));
    if (!sql_change(db, &changed, e,
                    "INSERT INTO members (address, key, member) VALUES (?, ?, ?)"
                    " ON CONFLICT DO NOTHING",
                    "sss", o->address, member->key, member->text))
        return false;
    return changed > 0 || again ||
           err_set(e, ERR_EXISTS, "%.*s is in the group %.*s already", STR_ARG(member->text),
                   STR_ARG(o->address));
}

static bool add_members(struct directory_db *db, const struct group_order *o, bool again,
                        struct err *e)
{
    int64_t count;
    for (size_t i = 0; i < o->member_count; i++)
        if (!add_member(db, o, &o->members[i], again, e))
            return false;
    return sql_number(db, &count, e, "SELECT count(*) FROM members WHERE address = ?", "s",
                      o->address) &&
           (count <= GROUP_MEMBERS_MAX ||
            err_set(e, ERR_LIMIT, "the group %.*s would have more than %d members",
                    STR_ARG(o->address), GROUP_MEMBERS_MAX));
}

bool group_db_add(struct directory_db *db, void *arg, struct err *e)
{
    const struct group_order *o = arg;
    int64_t domain;
    return domain_db_id(db, o->name.domain, &domain, e) &&
           embedded_name_is_free(db, o->address, "", e) &&
           sql_change(db, NULL, e,
                      "INSERT INTO mail_groups (address, domain, name) VALUES (?, ?, '')", "si",
                      o->address, domain) &&
           group_db_set(db, arg, e) && add_members(db, o, true, e);
}

bool group_db_delete(struct directory_db *db, void *arg, struct err *e)
{
    const struct group_order *o = arg;
    int64_t changed;
    return sql_change(db, &changed, e, "DELETE FROM mail_groups WHERE address = ?", "s",
                      o->address) &&
           (changed > 0 || sql_missing(e, "group", o->address)) &&
           send_as_db_forget(db, o->address, e);
}

bool group_db_add_members(struct directory_db *db, void *arg, struct err *e)
{
    const struct group_order *o = arg;
    return exists(db, o->address, e) && add_members(db, o, false, e);
}

bool group_db_replace_members(struct directory_db *db, void *arg, struct err *e)
{
    const struct group_order *o = arg;
    return exists(db, o->address, e) &&
           sql_change(db, NULL, e, "DELETE FROM members WHERE address = ?", "s", o->address) &&
           add_members(db, o, true, e);
}

bool group_db_delete_members(struct directory_db *db, void *arg, struct err *e)
{
    const struct group_order *o = arg;
    int64_t changed = 1;
    bool ok = exists(db, o->address, e);
    for (size_t i = 0; ok && i < o->member_count; i++)
        ok = sql_change(db, &changed, e, "DELETE FROM members WHERE address = ? AND key = ?", "ss",
                        o->address, o->members[i].key) &&
             (changed > 0 || err_set(e, ERR_NOT_FOUND, "%.*s is not in the group %.*s",
                                     STR_ARG(o->members[i].text), STR_ARG(o->address)));
    return ok;
}

/* --- as the rest of the server asks for them --- */

bool group_order_fill(struct group_order *o, struct arena *a,
                      const struct directory_group_change *change, const struct str *members,
                      size_t count, struct err *e)
{
    struct str mailbox = change->public_mailbox, name = STR("");
    o->change = *change;
    if (mailbox.n > 0) {
        struct str text = arena_printf(a, ":public:%.*s", STR_ARG(mailbox));
        if (text.n > SPECIAL_MAX || special_parse(text, &name) != SPECIAL_PUBLIC)
            return err_set(e, ERR_SYNTAX, "\"%.*s\" is no name of a public mailbox",
                           STR_ARG(str_head(mailbox, 80)));
    }
    return embedded_display_name(change->name, e) &&
           embedded_destinations(a, members, count, &o->members, &o->member_count, e);
}

static SUSPENDS bool run_order(struct directory *d, struct str address,
                               bool (*apply)(struct directory_db *db, void *arg, struct err *e),
                               const struct directory_group_change *change,
                               const struct str *members, size_t count, struct err *e)
{
    static const struct directory_group_change none;
    struct arena *a = arena_new();
    struct group_order o = {.address = STR("")};
    bool ok = directory_own_name(d, address, a, &o.name, &o.address, e) &&
              group_order_fill(&o, a, change ? change : &none, members, count, e) &&
              directory_apply(d, apply, &o, e);
    arena_free(a);
    return ok;
}

bool directory_add_group(struct directory *d, struct str address,
                         const struct directory_group_change *change, const struct str *members,
                         size_t count, struct err *e)
{
    return run_order(d, address, group_db_add, change, members, count, e);
}

/* The name of another source that has the group; NULL: it is one of ours, or there is none. False:
 * cannot be told. */
static SUSPENDS bool other_source(struct directory *d, struct str address, struct arena *a,
                                  const char **source, struct err *e)
{
    struct directory_group group = {.source = NULL};
    enum lookup found = directory_find_group(d, address, a, &group, e);
    bool other = found == LOOKUP_FOUND && strcmp(group.source, EMBEDDED_NAME) != 0;
    *source = other ? group.source : NULL;
    return found != LOOKUP_TEMPFAIL;
}

static bool is_read_only(const char *what, struct str address, const char *source, struct err *e)
{
    return err_set(e, ERR_PERM, "%s of the group %.*s are kept by %s", what,
                   STR_ARG(str_head(address, 80)), source);
}

bool directory_set_group(struct directory *d, struct str address,
                         const struct directory_group_change *change, struct err *e)
{
    struct arena *a = arena_new();
    const char *source;
    bool ok = other_source(d, address, a, &source, e);
    if (ok && source && change->name.p)
        ok = is_read_only("name and members", address, source, e);
    ok = ok &&
         run_order(d, address, source ? group_settings_db_set : group_db_set, change, NULL, 0, e);
    arena_free(a);
    return ok;
}

/* Of ours if there is one; else what is said of one that another source has or had. */
static bool delete_either(struct directory_db *db, void *arg, struct err *e)
{
    const struct group_order *o = arg;
    int64_t count;
    return sql_number(db, &count, e, "SELECT count(*) FROM mail_groups WHERE address = ?", "s",
                      o->address) &&
           (count > 0 ? group_db_delete(db, arg, e) : group_settings_db_delete(db, arg, e));
}

bool directory_delete_group(struct directory *d, struct str address, struct err *e)
{
    return run_order(d, address, delete_either, NULL, NULL, 0, e);
}

static SUSPENDS bool change_members(struct directory *d, struct str address,
                                    bool (*apply)(struct directory_db *db, void *arg,
                                                  struct err *e),
                                    const struct str *members, size_t count, struct err *e)
{
    struct arena *a = arena_new();
    const char *source;
    bool ok = other_source(d, address, a, &source, e) &&
              (!source || is_read_only("name and members", address, source, e)) &&
              run_order(d, address, apply, NULL, members, count, e);
    arena_free(a);
    return ok;
}

bool directory_add_members(struct directory *d, struct str address, const struct str *members,
                           size_t count, struct err *e)
{
    return change_members(d, address, group_db_add_members, members, count, e);
}

bool directory_delete_members(struct directory *d, struct str address, const struct str *members,
                              size_t count, struct err *e)
{
    return change_members(d, address, group_db_delete_members, members, count, e);
}

/* --- lists --- */

struct group_listing {
    struct str domain;
    struct arena *arena;
    struct directory_group *list;
    size_t count;
};

static bool list_groups(struct directory_db *db, void *arg, struct err *e)
{
    struct group_listing *l = arg;
    return group_db_list(db, l->domain, l->arena, &l->list, &l->count, e);
}

bool directory_list_embedded_groups(struct directory *d, struct str domain, struct arena *a,
                                    struct directory_group **list, size_t *count, struct err *e)
{
    struct group_listing l = {.domain = STR(""), .arena = a};
    struct domain known;
    if (domain.n > 0) {
        enum lookup status = directory_find_domain(d, domain, a, &known, e);
        if (status == LOOKUP_NOT_FOUND)
            return sql_missing(e, "domain", str_head(domain, 80));
        if (status == LOOKUP_TEMPFAIL)
            return false;
        l.domain = known.name;
    }
    bool ok = directory_read(d, list_groups, &l, e);
    *list = l.list;
    *count = l.count;
    return ok;
}
