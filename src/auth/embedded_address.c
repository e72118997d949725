/*
 * Addresses that are nobody's own: where they lead. An address without destinations is none, and
 * who may send as it is forgotten with it.
 */
#include "auth/embedded_address.h"

#include "auth/directory_internal.h"
#include "auth/embedded_domain.h"
#include "auth/embedded_send_as.h"
#include "auth/embedded_tables.h"

/* --- look-ups --- */

enum lookup address_db_find(struct directory_db *db, struct str address, struct arena *a,
                            struct directory_address *entry, struct err *e)
{
    struct sql_rows rows = {.size = sizeof(struct str)};
    enum sql_step step = SQL_FAILED;
    sqlite3_stmt *s =
        sql_prepare(db, e,
                    "SELECT destination, internal FROM addresses JOIN destinations USING (address)"
                    " WHERE address = ? ORDER BY destination",
                    "s", address);
    *entry = (struct directory_address){.address = arena_str(a, address), .source = EMBEDDED_NAME};
    while (s && (step = sql_step(db, s, e)) == SQL_ROW) {
        *(struct str *)sql_rows_add(&rows, a) = sql_text(s, 0, a);
        entry->internal = sqlite3_column_int(s, 1) != 0;
    }
    sqlite3_finalize(s);
    if (step == SQL_FAILED)
        return LOOKUP_TEMPFAIL;
    entry->destinations = (struct str *)rows.p;
    entry->count = rows.count;
    return rows.count > 0 ? LOOKUP_FOUND : LOOKUP_NOT_FOUND;
}

bool address_db_list(struct directory_db *db, struct str domain, struct arena *a,
                     struct directory_address **list, size_t *count, struct err *e)
{
    struct sql_rows addresses = {.size = sizeof(struct directory_address)},
                    destinations = {.size = sizeof(struct str)};
    struct directory_address *present = NULL;
    enum sql_step step = SQL_FAILED;
    sqlite3_stmt *s = sql_prepare(
        db, e,
        "SELECT address, destination, internal FROM addresses JOIN destinations USING (address)"
        " LEFT JOIN domains ON domains.id = domain"
        " WHERE ?1 = '' OR coalesce(domains.name, '*') = ?1"
        " ORDER BY domains.name, address, destination",
        "s", domain);
    while (s && (step = sql_step(db, s, e)) == SQL_ROW) {
        struct str address = sql_text(s, 0, a);
        if (!present || !str_equal(present->address, address)) {
            present = sql_rows_add(&addresses, a);
            present->address = address;
            present->internal = sqlite3_column_int(s, 2) != 0;
            present->source = EMBEDDED_NAME;
            destinations = (struct sql_rows){.size = sizeof(struct str)};
        }
        *(struct str *)sql_rows_add(&destinations, a) = sql_text(s, 1, a);
        present->destinations = (struct str *)destinations.p;
        present->count = destinations.count;
    }
    sqlite3_finalize(s);
    *list = (struct directory_address *)addresses.p;
    *count = addresses.count;
    return step == SQL_END;
}

/* Destinations come in the order of their addresses: those of one are gathered, then kept. */
struct loading {
    struct address_table *table;
    struct arena *arena; /* of the address that is being gathered */
    struct str address;
    bool internal;
    struct sql_rows destinations;
};

static void keep_address(struct loading *l)
{
    if (l->destinations.count > 0)
        address_table_put(l->table, l->address, (struct str *)l->destinations.p,
                          l->destinations.count, l->internal);
    arena_reset(l->arena);
    l->destinations = (struct sql_rows){.size = sizeof(struct str)};
}

static bool take_row(sqlite3_stmt *s, struct directory_db *db, struct loading *l, struct err *e)
{
    struct str address =
        str_from((const char *)sqlite3_column_text(s, 0), (size_t)sqlite3_column_bytes(s, 0));
    if (l->destinations.count == 0 || !str_equal(address, l->address)) {
        keep_address(l);
        l->address = sql_text(s, 0, l->arena);
        l->internal = sqlite3_column_int(s, 2) != 0;
    }
    struct str destination = sql_text(s, 1, l->arena);
    *(struct str *)sql_rows_add(&l->destinations, l->arena) = destination;
    return (l->address.n <= ADDRESS_TABLE_TEXT_MAX && destination.n <= ADDRESS_TABLE_TEXT_MAX) ||
           err_set(e, ERR_IO, "directory %s: the address %.*s or its destination is too long",
                   db->path, STR_ARG(str_head(l->address, 80)));
}

bool address_db_load(struct directory_db *db, struct address_table **table, struct err *e)
{
    int64_t count;
    enum sql_step step = SQL_FAILED;
    if (!sql_number(db, &count, e, "SELECT count(*) FROM addresses", ""))
        return false;
    struct loading l = {.table = address_table_new((size_t)count), .arena = arena_new()};
    sqlite3_stmt *s = sql_prepare(db, e,
                                  "SELECT address, destination, internal FROM destinations"
                                  " JOIN addresses USING (address) ORDER BY address",
                                  "");
    while (s && (step = sql_step(db, s, e)) == SQL_ROW)
        if (!take_row(s, db, &l, e)) {
            step = SQL_FAILED;
            break;
        }
    sqlite3_finalize(s);
    keep_address(&l);
    arena_free(l.arena);
    if (step == SQL_END)
        *table = l.table;
    else
        address_table_free(l.table);
    return step == SQL_END;
}

/* --- changes --- */

static bool is_of_all(const struct address_order *o)
{
    return str_equal(o->name.domain, STR(ALL_DOMAINS));
}

bool address_order_name(struct address_order *o, struct arena *a, struct str full, struct err *e)
{
    struct str address = str_trim(full);
    bool of_all = str_ends_with_nocase(address, STR("@" ALL_DOMAINS));
    const char *reason = "domain missing";
    if (of_all)
        address = str_head(address, address.n - strlen("@" ALL_DOMAINS));
    if (!name_parse(a, address, &o->name, &reason) || (o->name.domain.n == 0) != of_all)
        return err_set(e, ERR_SYNTAX, "\"%.*s\": %s", STR_ARG(str_head(full, 80)),
                       o->name.domain.n > 0 ? "two domains" : reason);
    if (of_all)
        o->name.domain = STR(ALL_DOMAINS);
    o->address = name_text(a, &o->name);
    return true;
}

static bool add_row(struct directory_db *db, const struct address_order *o, struct err *e)
{
    int64_t domain;
    return (is_of_all(o) || domain_db_id(db, o->name.domain, &domain, e)) &&
           embedded_name_is_free(db, o->address, "address", e) &&
           sql_change(db, NULL, e,
                      "INSERT INTO addresses (address, domain, internal)"
                      " VALUES (?1, (SELECT id FROM domains WHERE name = ?2), ?3)"
                      " ON CONFLICT (address) DO UPDATE SET internal = max(internal, ?3)",
                      "ssi", o->address, o->name.domain, (int64_t)o->internal);
}

static bool add_destination(struct directory_db *db, const struct address_order *o,
                            const struct embedded_address *to, struct err *e)
{
    int64_t found;
    if (str_equal(to->key, o->address))
        return err_set(e, ERR_SYNTAX, "the address %.*s cannot be its own destination",
                       STR_ARG(o->address));
    if (!sql_number(db, &found, e,
                    "SELECT count(*) FROM destinations WHERE address = ?"
                    " AND destination = ? COLLATE NOCASE",
                    "ss", o->address, to->text))
        return false;
    if (found > 0)
        return err_set(e, ERR_EXISTS, "the address %.*s has the destination %.*s already",
                       STR_ARG(o->address), STR_ARG(to->text));
    return sql_change(db, NULL, e, "INSERT INTO destinations (address, destination) VALUES (?, ?)",
                      "ss", o->address, to->text);
}

bool address_db_add(struct directory_db *db, void *arg, struct err *e)
{
    const struct address_order *o = arg;
    tables_touch_address(db, o->address);
    bool ok = (o->count > 0 ||
               err_set(e, ERR_SYNTAX, "the address %.*s leads nowhere", STR_ARG(o->address))) &&
              add_row(db, o, e);
    for (size_t i = 0; ok && i < o->count; i++)
        ok = add_destination(db, o, &o->destinations[i], e);
    return ok;
}

bool address_db_set(struct directory_db *db, void *arg, struct err *e)
{
    const struct address_order *o = arg;
    int64_t found;
    tables_touch_address(db, o->address);
    if (!sql_number(db, &found, e, "SELECT count(*) FROM addresses WHERE address = ?", "s",
                    o->address))
        return false;
    if (found == 0)
        return sql_missing(e, "address", o->address);
    if (o->set_internal &&
        !sql_change(db, NULL, e, "UPDATE addresses SET internal = ? WHERE address = ?", "is",
                    (int64_t)o->internal, o->address))
        return false;
    if (!o->set_destinations)
        return true;
    bool ok =
        (o->count > 0 ||
         err_set(e, ERR_SYNTAX, "the address %.*s would lead nowhere", STR_ARG(o->address))) &&
        sql_change(db, NULL, e, "DELETE FROM destinations WHERE address = ?", "s", o->address);
    for (size_t i = 0; ok && i < o->count; i++)
        ok = add_destination(db, o, &o->destinations[i], e);
    return ok;
}

static bool delete_empty(struct directory_db *db, struct str address, struct err *e)
{
    int64_t gone;
    return sql_change(db, &gone, e,
                      "DELETE FROM addresses WHERE address = ?1 AND NOT EXISTS"
                      " (SELECT 1 FROM destinations WHERE address = ?1)",
                      "s", address) &&
           (gone == 0 || send_as_db_forget(db, address, e));
}

bool address_db_delete(struct directory_db *db, void *arg, struct err *e)
{
    const struct address_order *o = arg;
    int64_t gone = 0;
    tables_touch_address(db, o->address);
    if (o->count == 0)
        return sql_change(db, &gone, e, "DELETE FROM destinations WHERE address = ?", "s",
                          o->address) &&
               (gone > 0 || sql_missing(e, "address", o->address)) &&
               delete_empty(db, o->address, e);
    for (size_t i = 0; i < o->count; i++) {
        struct str destination = o->destinations[i].text;
        if (!sql_change(db, &gone, e,
                        "DELETE FROM destinations WHERE address = ?"
                        " AND destination = ? COLLATE NOCASE",
                        "ss", o->address, destination))
            return false;
        if (gone == 0)
            return err_set(e, ERR_NOT_FOUND, "the address %.*s has no destination %.*s",
                           STR_ARG(o->address), STR_ARG(destination));
    }
    return delete_empty(db, o->address, e);
}

/* --- as the rest of the server asks for them --- */

static SUSPENDS bool order_name(struct directory *d, struct address_order *o, struct arena *a,
                                struct str text, struct err *e)
{
    if (str_ends_with_nocase(str_trim(text), STR("@" ALL_DOMAINS)))
        return address_order_name(o, a, text, e);
    return directory_own_name(d, text, a, &o->name, &o->address, e);
}

static SUSPENDS bool run_order(struct directory *d, struct str address, struct address_order *o,
                               const struct str *destinations, size_t count,
                               bool (*apply)(struct directory_db *db, void *arg, struct err *e),
                               struct err *e)
{
    struct arena *a = arena_new();
    bool ok = order_name(d, o, a, address, e) &&
              embedded_destinations(a, destinations, count, &o->destinations, &o->count, e) &&
              directory_apply(d, apply, o, e);
    arena_free(a);
    return ok;
}

bool directory_add_address(struct directory *d, struct str address, struct str destination,
                           struct err *e)
{
    return directory_add_address_as(d, address, destination, false, e);
}

bool directory_add_address_as(struct directory *d, struct str address, struct str destination,
                              bool internal, struct err *e)
{
    struct address_order o = {.internal = internal};
    return run_order(d, address, &o, &destination, 1, address_db_add, e);
}

bool directory_set_address(struct directory *d, struct str address,
                           const struct directory_address_change *change, struct err *e)
{
    struct address_order o = {.set_internal = change->set_internal,
                              .internal = change->internal,
                              .set_destinations = change->set_destinations};
    return run_order(d, address, &o, change->destinations,
                     change->set_destinations ? change->count : 0, address_db_set, e);
}

bool directory_set_internal(struct directory *d, struct str address, bool internal, struct err *e)
{
    return directory_set_address(
        d, address, &(struct directory_address_change){.set_internal = true, .internal = internal},
        e);
}

bool directory_delete_address(struct directory *d, struct str address, struct str destination,
                              struct err *e)
{
    struct address_order o = {.internal = false};
    return run_order(d, address, &o, &destination, destination.n > 0, address_db_delete, e);
}

/* --- lists --- */

struct address_listing {
    struct str domain;
    struct arena *arena;
    struct directory_address *list;
    size_t count;
};

static bool list_addresses(struct directory_db *db, void *arg, struct err *e)
{
    struct address_listing *l = arg;
    return address_db_list(db, l->domain, l->arena, &l->list, &l->count, e);
}

bool directory_list_addresses(struct directory *d, struct str domain, struct arena *a,
                              struct directory_address **list, size_t *count, struct err *e)
{
    struct address_listing l = {.domain = domain, .arena = a};
    bool ok = (str_equal(domain, STR(ALL_DOMAINS)) ||
               directory_known_domain(d, domain, a, &l.domain, e)) &&
              directory_read(d, list_addresses, &l, e);
    *list = l.list;
    *count = l.count;
    return ok;
}
