#pragma once
/*
 * What of the embedded directory is held in memory: domains, addresses, rules, delegations, and
 * what it says of groups of other sources. Private to auth.
 *
 * A transaction notes what of it was touched; at its end, before it commits, that is read again on
 * the worker, and taken over on the loop when it has committed. So what is in memory is what is in
 * the file, and taking it over cannot fail.
 */
#include "auth/address_table.h"
#include "auth/directory.h"
#include "auth/domain_table.h"
#include "auth/rule_table.h"

struct directory_db;
struct group_table;

struct embedded_tables {
    struct address_table *addresses; /* flag: internal */
    struct address_table *delegations;
    struct domain_table *domains;
    struct rule_table *rules;
    struct group_table *groups;
};

/* --- notes of a transaction, kept on its connection --- */

void tables_touch_address(struct directory_db *db, struct str address);
void tables_touch_addresses(struct directory_db *db); /* any number of them */
void tables_touch_domains(struct directory_db *db);
void tables_touch_rules(struct directory_db *db);
void tables_touch_delegations(struct directory_db *db);
void tables_touch_groups(struct directory_db *db);
void tables_touch_all(struct directory_db *db);
/* At the begin of a transaction. */
void tables_touch_nothing(struct directory_db *db);

/* --- what was read again --- */

struct tables_news;
/* On the worker, in the transaction; NULL with *e on failure. */
struct tables_news *tables_read(struct directory_db *db, struct err *e);
/* On the loop: t has the news; what they replace is in them now. */
void tables_take(struct embedded_tables *t, struct tables_news *news);
/* NULL is allowed. Large tables are given back on a worker. */
SUSPENDS void tables_news_free(struct tables_news *news);

void tables_close(struct embedded_tables *t);
