#pragma once
/*
 * Who may log in with which protocol, from where, over how many connections: what the directory
 * says of the account, and the blocks `access` of the configuration. Nothing suspends.
 */
#include "auth/account.h"
#include "core/settings.h"

struct access_settings {
    const char *name;
    struct string_list groups, users, protocols, networks;
    int64_t connections, connections_per_address;
};
extern const struct settings_block access_settings_block; /* "access", named */

/* The blocks of a configuration; immutable. */
struct access_rules;
struct access_rules *access_rules_new(const struct config *c);
/* NULL is allowed. */
void access_rules_free(struct access_rules *r);

/* r may be NULL here and below: no rules. address: numeric, or "unix". False: *reason (may be NULL)
 * is the word for the log: "protocol", "network". */
bool access_check(const struct access_rules *r, const struct account *account,
                  enum account_protocol protocol, const char *address, const char **reason);

/* Sessions of the account with one protocol; 0: as the settings say for all. */
struct access_connections {
    int64_t total, per_address;
};
struct access_connections access_connections(const struct access_rules *r,
                                             const struct account *account);
