/*
 * Who may send as whom. Grantees are kept as they are called when they log in; whether they exist
 * is not asked, since other sources may know them. What is deleted from the embedded directory
 * takes its delegations along: who gets that name later shall not have them.
 */
#include "auth/embedded_send_as.h"

#include "auth/directory_internal.h"
#include "auth/embedded_domain.h"
#include "auth/embedded_tables.h"

#define LISTED "SELECT address, grantee FROM send_as"

bool send_as_db_list(struct directory_db *db, struct str name, struct arena *a,
                     struct delegation **list, size_t *count, struct err *e)
{
    struct sql_rows rows = {.size = sizeof(struct delegation)};
    enum sql_step step = SQL_FAILED;
    sqlite3_stmt *s = name.n == 0 ? sql_prepare(db, e, LISTED " ORDER BY address, grantee", "")
                                  : sql_prepare(db, e,
                                                LISTED " WHERE address = ?1 OR grantee = ?1"
                                                       " ORDER BY address, grantee",
                                                "s", name);
    while (s && (step = sql_step(db, s, e)) == SQL_ROW) {
        struct delegation *row = sql_rows_add(&rows, a);
        row->address = sql_text(s, 0, a);
        row->grantee = sql_text(s, 1, a);
    }
    sqlite3_finalize(s);
    *list = (struct delegation *)rows.p;
    *count = rows.count;
    return step == SQL_END;
}

/* The rows are sorted by address: those of one become one entry. */
bool send_as_db_load(struct directory_db *db, struct address_table **table, struct err *e)
{
    struct arena *a = arena_new();
    struct delegation *list;
    size_t count;
    bool ok = send_as_db_list(db, STR(""), a, &list, &count, e);
    if (ok) {
        struct str *grantees = arena_array(a, count, sizeof(*grantees));
        *table = address_table_new(count);
        for (size_t i = 0, begin = 0; i < count; i++) {
            grantees[i] = list[i].grantee;
            if (i + 1 < count && str_equal(list[i + 1].address, list[i].address))
                continue;
            address_table_put(*table, list[i].address, grantees + begin, i + 1 - begin, false);
            begin = i + 1;
        }
    }
    arena_free(a);
    return ok;
}

/* --- changes --- */

bool send_as_order_address(struct send_as_order *o, struct arena *a, struct str text, struct err *e)
{
    struct name name;
    const char *reason = "domain missing";
    text = str_trim(text);
    if (str_starts_with(text, STR("@"))) {
        if (!name_domain(a, str_skip(text, 1), &o->domain))
            return err_set(e, ERR_SYNTAX, "\"%.*s\": invalid domain", STR_ARG(str_head(text, 80)));
        o->address = arena_printf(a, "@%.*s", STR_ARG(o->domain));
        return true;
    }
    if (!name_read(a, text, &name, &reason) || name.domain.n == 0)
        return err_set(e, ERR_SYNTAX, "\"%.*s\": %s", STR_ARG(str_head(text, 80)), reason);
    o->domain = name.domain;
    o->address = name_text(a, &name);
    return true;
}

bool send_as_db_add(struct directory_db *db, void *arg, struct err *e)
{
    const struct send_as_order *o = arg;
    int64_t domain, added = 0;
    bool ok = domain_db_id_or_parent(db, o->domain, &domain, e);
    tables_touch_delegations(db);
    for (size_t i = 0; ok && i < o->count; i++)
        ok = sql_change(db, &added, e,
                        "INSERT INTO send_as (address, grantee, domain) VALUES (?, ?, ?)"
                        " ON CONFLICT DO NOTHING",
                        "ssi", o->address, o->grantees[i], domain) &&
             (added > 0 || err_set(e, ERR_EXISTS, "%.*s may send as %.*s already",
                                   STR_ARG(o->grantees[i]), STR_ARG(o->address)));
    return ok;
}

bool send_as_db_delete(struct directory_db *db, void *arg, struct err *e)
{
    const struct send_as_order *o = arg;
    int64_t gone;
    tables_touch_delegations(db);
    if (o->count == 0)
        return sql_change(db, &gone, e, "DELETE FROM send_as WHERE address = ?", "s", o->address) &&
               (gone > 0 ||
                err_set(e, ERR_NOT_FOUND, "nobody was given %.*s to send as", STR_ARG(o->address)));
    bool ok = true;
    for (size_t i = 0; ok && i < o->count; i++)
        ok = sql_change(db, &gone, e, "DELETE FROM send_as WHERE address = ? AND grantee = ?", "ss",
                        o->address, o->grantees[i]) &&
             (gone > 0 || err_set(e, ERR_NOT_FOUND, "%.*s was not given %.*s to send as",
                                  STR_ARG(o->grantees[i]), STR_ARG(o->address)));
    return ok;
}

bool send_as_db_forget(struct directory_db *db, struct str name, struct err *e)
{
    int64_t gone;
    bool ok = sql_change(db, &gone, e, "DELETE FROM send_as WHERE address = ?1 OR grantee = ?1",
                         "s", name);
    if (ok && gone > 0)
        tables_touch_delegations(db);
    return ok;
}

/* --- as the rest of the server asks for them --- */

/* A name with the default domain where it has none. */
static SUSPENDS bool own_text(struct directory *d, struct str text, struct arena *a,
                              struct str *full, struct err *e)
{
    struct name name;
    return directory_own_name(d, text, a, &name, full, e);
}

static SUSPENDS bool run_order(struct directory *d, struct str address, struct str grantee,
                               bool (*apply)(struct directory_db *db, void *arg, struct err *e),
                               struct err *e)
{
    struct arena *a = arena_new();
    struct str full = address, who = STR("");
    struct send_as_order o = {.grantees = &who, .count = grantee.n > 0};
    bool ok = (str_starts_with(str_trim(address), STR("@")) || own_text(d, address, a, &full, e)) &&
              send_as_order_address(&o, a, full, e) &&
              (grantee.n == 0 || own_text(d, grantee, a, &who, e)) &&
              directory_apply(d, apply, &o, e);
    arena_free(a);
    return ok;
}

bool directory_add_send_as(struct directory *d, struct str address, struct str grantee,
                           struct err *e)
{
    if (grantee.n == 0)
        return err_set(e, ERR_SYNTAX, "who may send as %.*s?", STR_ARG(str_head(address, 80)));
    return run_order(d, address, grantee, send_as_db_add, e);
}

bool directory_delete_send_as(struct directory *d, struct str address, struct str grantee,
                              struct err *e)
{
    return run_order(d, address, grantee, send_as_db_delete, e);
}

struct send_as_listing {
    struct str name;
    struct arena *arena;
    struct delegation *list;
    size_t count;
};

static bool list_send_as(struct directory_db *db, void *arg, struct err *e)
{
    struct send_as_listing *l = arg;
    return send_as_db_list(db, l->name, l->arena, &l->list, &l->count, e);
}

bool directory_list_send_as(struct directory *d, struct str name, struct arena *a,
                            struct delegation **list, size_t *count, struct err *e)
{
    struct send_as_listing l = {.name = STR(""), .arena = a};
    struct send_as_order o;
    struct str full = name;
    bool ok = true;
    if (name.n > 0) {
        ok = (str_starts_with(str_trim(name), STR("@")) || own_text(d, name, a, &full, e)) &&
             send_as_order_address(&o, a, full, e);
        l.name = o.address;
    }
    ok = ok && directory_read(d, list_send_as, &l, e);
    *list = l.list;
    *count = l.count;
    return ok;
}

/* --- who may --- */

/* Adds those that are not there yet. */
static void add_grantees(struct str **list, size_t *count, const struct address_table_answer *more,
                         struct arena *a)
{
    struct str *all = arena_array(a, *count + more->count, sizeof(*all));
    size_t n = *count;
    if (n > 0)
        memcpy(all, *list, n * sizeof(*all));
    for (size_t i = 0; i < more->count; i++) {
        bool there = false;
        for (size_t k = 0; !there && k < *count; k++)
            there = str_equal(all[k], more->texts[i]);
        if (!there)
            all[n++] = more->texts[i];
    }
    *list = all;
    *count = n;
}

enum lookup directory_find_send_as(struct directory *d, struct str address, struct arena *a,
                                   struct str **grantees, size_t *count, struct err *e)
{
    const struct address_table *table = embedded_tables(d->embedded)->delegations;
    struct send_as_order o;
    struct address_table_answer found;
    (void)e;
    *grantees = NULL;
    *count = 0;
    if (address_table_count(table) == 0 || !send_as_order_address(&o, a, address, NULL))
        return LOOKUP_NOT_FOUND;
    if (address_table_find(table, o.address, a, &found))
        add_grantees(grantees, count, &found, a);
    if (address_table_find(table, arena_printf(a, "@%.*s", STR_ARG(o.domain)), a, &found))
        add_grantees(grantees, count, &found, a);
    return *count > 0 ? LOOKUP_FOUND : LOOKUP_NOT_FOUND;
}
