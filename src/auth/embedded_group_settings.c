/*
 * Groups of an LDAP server have no place for what we want to know of them: whether only members may
 * write to them, whether their mail goes to a public mailbox, and so on. A row here holds what was
 * said of one, and nothing of what was not (NULL). It outlives the group: one that is away for a
 * time comes back as it was.
 */
#include "auth/embedded_group_settings.h"

#include "auth/embedded_group.h"
#include "auth/embedded_tables.h"

#include <stdlib.h>

static void read_flag(sqlite3_stmt *s, int column, bool *set, bool *value)
{
    *set = sqlite3_column_type(s, column) != SQLITE_NULL;
    *value = sqlite3_column_int(s, column) != 0;
}

#define ROWS                                                                                       \
    "SELECT address, disabled, internal, members_only, send_as, public_mailbox FROM "              \
    "group_settings"

/* address empty: all. */
static bool read_rows(struct directory_db *db, struct str address, struct arena *a,
                      struct sql_rows *rows, struct err *e)
{
    enum sql_step step = SQL_FAILED;
    sqlite3_stmt *s = address.n == 0 ? sql_prepare(db, e, ROWS " ORDER BY address", "")
                                     : sql_prepare(db, e, ROWS " WHERE address = ?", "s", address);
    while (s && (step = sql_step(db, s, e)) == SQL_ROW) {
        struct group_settings *g = sql_rows_add(rows, a);
        struct directory_group_change *c = &g->change;
        g->address = sql_text(s, 0, a);
        read_flag(s, 1, &c->set_disabled, &c->disabled);
        read_flag(s, 2, &c->set_internal, &c->internal);
        read_flag(s, 3, &c->set_members_only, &c->members_only);
        read_flag(s, 4, &c->set_send_as, &c->send_as);
        if (sqlite3_column_type(s, 5) != SQLITE_NULL)
            c->public_mailbox = sql_text(s, 5, a);
    }
    sqlite3_finalize(s);
    return step == SQL_END;
}

bool group_settings_db_list(struct directory_db *db, struct arena *a, struct group_settings **list,
                            size_t *count, struct err *e)
{
    struct sql_rows rows = {.size = sizeof(struct group_settings)};
    bool ok = read_rows(db, STR(""), a, &rows, e);
    *list = (struct group_settings *)rows.p;
    *count = rows.count;
    return ok;
}

enum lookup group_settings_db_find(struct directory_db *db, struct str address, struct arena *a,
                                   struct group_settings *settings, struct err *e)
{
    struct sql_rows rows = {.size = sizeof(*settings)};
    if (!read_rows(db, address, a, &rows, e))
        return LOOKUP_TEMPFAIL;
    if (rows.count == 0)
        return LOOKUP_NOT_FOUND;
    *settings = *(struct group_settings *)rows.p;
    return LOOKUP_FOUND;
}

bool group_settings_db_set(struct directory_db *db, void *arg, struct err *e)
{
    const struct group_order *o = arg;
    const struct directory_group_change *c = &o->change;
    tables_touch_groups(db);
    return sql_change(db, NULL, e,
                      "INSERT INTO group_settings (address) VALUES (?) ON CONFLICT DO NOTHING", "s",
                      o->address) &&
           sql_change(db, NULL, e,
                      "UPDATE group_settings SET disabled = iif(?1, ?2, disabled),"
                      " internal = iif(?3, ?4, internal),"
                      " members_only = iif(?5, ?6, members_only), send_as = iif(?7, ?8, send_as),"
                      " public_mailbox = iif(?9, ?10, public_mailbox) WHERE address = ?11",
                      "iiiiiiiiiss", (int64_t)c->set_disabled, (int64_t)c->disabled,
                      (int64_t)c->set_internal, (int64_t)c->internal, (int64_t)c->set_members_only,
                      (int64_t)c->members_only, (int64_t)c->set_send_as, (int64_t)c->send_as,
                      (int64_t)(c->public_mailbox.p != NULL), c->public_mailbox, o->address);
}

bool group_settings_db_delete(struct directory_db *db, void *arg, struct err *e)
{
    const struct group_order *o = arg;
    int64_t gone;
    tables_touch_groups(db);
    return sql_change(db, &gone, e, "DELETE FROM group_settings WHERE address = ?", "s",
                      o->address) &&
           (gone > 0 || sql_missing(e, "group", o->address));
}

/* --- in memory --- */

struct group_table {
    struct arena *arena;
    struct group_settings *list;
    size_t count;
};

struct group_table *group_table_new(struct arena *a, struct group_settings *list, size_t count)
{
    struct group_table *t = ARENA_NEW(a, struct group_table);
    *t = (struct group_table){a, list, count};
    return t;
}

void group_table_free(struct group_table *t)
{
    if (t)
        arena_free(t->arena);
}

static int compare(const void *left, const void *right)
{
    const struct group_settings *x = left, *y = right;
    return str_compare(x->address, y->address);
}

static const struct group_settings *find(const struct group_table *t, struct str address)
{
    struct group_settings wanted = {.address = address};
    return t->count > 0 ? bsearch(&wanted, t->list, t->count, sizeof(*t->list), compare) : NULL;
}

bool group_table_stands_alone(const struct group_table *t, struct str address)
{
    const struct group_settings *found = find(t, address);
    return found && ((found->change.set_disabled && found->change.disabled) ||
                     found->change.public_mailbox.n > 0);
}

void group_table_apply(const struct group_table *t, struct arena *a, struct directory_group *group)
{
    const struct group_settings *found = find(t, group->address);
    if (!found)
        return;
    const struct directory_group_change *c = &found->change;
    if (c->set_disabled)
        group->disabled = c->disabled;
    if (c->set_internal)
        group->internal = c->internal;
    if (c->set_members_only)
        group->members_only = c->members_only;
    if (c->set_send_as)
        group->send_as = c->send_as;
    if (c->public_mailbox.p)
        group->public_mailbox = arena_str(a, c->public_mailbox);
}
