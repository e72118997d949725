/*
 * Single addresses are read again one by one, the rest as a whole: there are few domains and rules,
 * and who changes thousands of addresses does so in one transaction (an import).
 */
#include "auth/embedded_tables.h"

#include "auth/embedded_address.h"
#include "auth/embedded_domain.h"
#include "auth/embedded_group_settings.h"
#include "auth/embedded_rule.h"
#include "auth/embedded_send_as.h"
#include "auth/limits.h"
#include "core/mem.h"
#include "core/worker.h"

#include <stdlib.h>

/* --- notes --- */

void tables_touch_address(struct directory_db *db, struct str address)
{
    struct tables_touched *t = &db->touched;
    if (t->addresses)
        return;
    if (t->count == TOUCHED_ADDRESSES_MAX) {
        t->addresses = true;
        return;
    }
    if (!t->arena)
        t->arena = arena_new();
    if (!t->list)
        t->list = arena_array(t->arena, TOUCHED_ADDRESSES_MAX, sizeof(*t->list));
    t->list[t->count++] = arena_str(t->arena, address);
}

void tables_touch_addresses(struct directory_db *db)
{
    db->touched.addresses = true;
}

void tables_touch_domains(struct directory_db *db)
{
    db->touched.domains = true;
}

void tables_touch_rules(struct directory_db *db)
{
    db->touched.rules = true;
}

void tables_touch_delegations(struct directory_db *db)
{
    db->touched.delegations = true;
}

void tables_touch_groups(struct directory_db *db)
{
    db->touched.groups = true;
}

void tables_touch_all(struct directory_db *db)
{
    struct tables_touched *t = &db->touched;
    t->addresses = t->domains = t->rules = t->delegations = t->groups = true;
}

void tables_touch_nothing(struct directory_db *db)
{
    arena_free(db->touched.arena);
    db->touched = (struct tables_touched){.arena = NULL};
}

/* --- reading --- */

struct tables_news {
    struct embedded_tables tables; /* NULL: as it is */
    struct arena *arena;
    struct directory_address *list; /* single ones; count == 0: it is gone */
    size_t count;
};

static bool read_domains(struct directory_db *db, struct tables_news *n, struct err *e)
{
    struct arena *a = arena_new();
    struct domain *list;
    size_t count;
    if (!domain_db_list(db, a, &list, &count, e)) {
        arena_free(a);
        return false;
    }
    n->tables.domains = domain_table_new(a, list, count);
    return true;
}

static bool read_rules(struct directory_db *db, struct tables_news *n, struct err *e)
{
    struct arena *a = arena_new();
    struct address_rule *list;
    size_t count;
    bool ok = rule_db_list(db, a, &list, &count, e);
    if (ok)
        n->tables.rules = rule_table_new(list, count);
    arena_free(a);
    return ok;
}

static bool read_groups(struct directory_db *db, struct tables_news *n, struct err *e)
{
    struct arena *a = arena_new();
    struct group_settings *list;
    size_t count;
    if (!group_settings_db_list(db, a, &list, &count, e)) {
        arena_free(a);
        return false;
    }
    n->tables.groups = group_table_new(a, list, count);
    return true;
}

static bool read_address(struct directory_db *db, struct tables_news *n, struct str address,
                         struct err *e)
{
    struct directory_address *entry = &n->list[n->count++];
    return address_db_find(db, address, n->arena, entry, e) != LOOKUP_TEMPFAIL;
}

void tables_close(struct embedded_tables *t)
{
    address_table_free(t->addresses);
    address_table_free(t->delegations);
    domain_table_unref(t->domains);
    rule_table_unref(t->rules);
    group_table_free(t->groups);
}

static void news_drop(struct tables_news *n)
{
    tables_close(&n->tables);
    arena_free(n->arena);
    free(n);
}

static struct tables_news *news_new(size_t addresses)
{
    struct tables_news *n = MEM_NEW(struct tables_news);
    n->arena = arena_new();
    n->list = arena_array(n->arena, addresses, sizeof(*n->list));
    return n;
}

struct tables_news *tables_read(struct directory_db *db, struct err *e)
{
    const struct tables_touched *t = &db->touched;
    struct tables_news *n = news_new(t->count);
    bool ok = (!t->domains || read_domains(db, n, e)) && (!t->rules || read_rules(db, n, e)) &&
              (!t->groups || read_groups(db, n, e)) &&
              (!t->delegations || send_as_db_load(db, &n->tables.delegations, e)) &&
              (!t->addresses || address_db_load(db, &n->tables.addresses, e));
    for (size_t i = 0; ok && !t->addresses && i < t->count; i++)
        ok = read_address(db, n, t->list[i], e);
    if (ok)
        return n;
    news_drop(n);
    return NULL;
}

/* --- taking over --- */

#define EXCHANGE(field)                                                                            \
    do {                                                                                           \
        if (n->tables.field) {                                                                     \
            void *old = t->field;                                                                  \
            t->field = n->tables.field;                                                            \
            n->tables.field = old;                                                                 \
        }                                                                                          \
    } while (0)

void tables_take(struct embedded_tables *t, struct tables_news *n)
{
    EXCHANGE(addresses);
    EXCHANGE(delegations);
    EXCHANGE(domains);
    EXCHANGE(rules);
    EXCHANGE(groups);
    for (size_t i = 0; i < n->count; i++) {
        const struct directory_address *x = &n->list[i];
        if (x->count > 0)
            address_table_put(t->addresses, x->address, x->destinations, x->count, x->internal);
        else
            address_table_remove(t->addresses, x->address);
    }
}

static void free_addresses(void *arg)
{
    address_table_free(arg);
}

void tables_news_free(struct tables_news *n)
{
    if (!n)
        return;
    struct address_table *addresses = n->tables.addresses;
    n->tables.addresses = NULL;
    news_drop(n);
    if (addresses && address_table_count(addresses) > TABLE_LARGE)
        worker_run(WORKER_CPU, free_addresses, addresses);
    else
        address_table_free(addresses);
}
