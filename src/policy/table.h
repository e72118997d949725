#pragma once
/*
 * Tables of keys in files (docs/policy.md). Content is immutable and counted: a changed file is
 * read on a worker and takes the old one's place when it is whole and correct. Private to policy.
 */
#include "net/network.h"
#include "policy/policy.h"

enum policy_table_type { TABLE_EXACT, TABLE_DOMAIN, TABLE_NETWORK, TABLE_PATTERN };
extern const char *const policy_table_types[]; /* "exact", "domain", "cidr", "pcre", NULL */

struct table_settings {
    const char *name;
    const char *path;
    int type; /* enum policy_table_type */
};

/* What stands behind a key. */
struct policy_entry {
    bool has_action;
    enum policy_action action; /* POLICY_PASS: an exception */
    struct str text;           /* "" : none; in the content */
};

struct policy_content;

/* Reads and checks a file. Blocking, without shared state: for workers and mailctl. *e: "path:line:
 * ..." */
struct policy_content *policy_content_read(const char *path, enum policy_table_type type,
                                           struct err *e);
/* The same from text, which is taken apart. path is for messages. */
struct policy_content *policy_content_parse(const char *path, struct str text,
                                            enum policy_table_type type, struct err *e);
struct policy_content *policy_content_ref(struct policy_content *c);
/* NULL is allowed. Of a large one the last reference takes its time: policy_content_release. */
void policy_content_unref(struct policy_content *c);
bool policy_content_is_shared(const struct policy_content *c);
size_t policy_content_count(const struct policy_content *c);
size_t policy_content_memory(const struct policy_content *c);
/* Could a name be found in it? Not if all keys are addresses: then nobody has to ask DNS. */
bool policy_content_has_names(const struct policy_content *c);

/* Look-ups, each for tables of its type; O(log n). Keys may be in any case. */
bool policy_content_find_exact(const struct policy_content *c, struct str key,
                               struct policy_entry *entry);
/* The name itself, then ever shorter suffixes: "mail.example.org", ".example.org", "example.org"
 * ...
 */
bool policy_content_find_domain(const struct policy_content *c, struct str domain,
                                struct policy_entry *entry);
bool policy_content_find_network(const struct policy_content *c, const struct network_address *a,
                                 struct policy_entry *entry);
/* The first pattern that matches, in the order of the file. For a worker: bounded by limits.h, but
 * not instantaneous. *gave_up: line of a pattern that used up its limit, else 0. */
bool policy_content_find_pattern(const struct policy_content *c, struct str subject,
                                 struct policy_entry *entry, unsigned *gave_up);

/* --- a table of the configuration: table.c --- */

struct policy_table;

/* policy_content_unref for the loop: what is large is freed on a worker. NULL is allowed. */
void policy_content_release(struct policy *p, struct policy_content *c);

/* The table with this file and type, from the present rules if they have it; nothing is read yet.
 */
struct policy_table *policy_table_find(struct policy *p, const struct table_settings *s);
void policy_table_unref(struct policy_table *t);
/* Reads the file if it is another than the one that was read last. False: *e; what was there before
 * stays. Begins to watch the file when it is called for the first time. */
SUSPENDS bool policy_table_refresh(struct policy_table *t, struct err *e);
/* NULL: could never be read. Valid until the next suspension; policy_content_ref keeps it. */
struct policy_content *policy_table_content(const struct policy_table *t);
enum policy_table_type policy_table_type(const struct policy_table *t);
const char *policy_table_name(const struct policy_table *t);
/* Strings in a. */
void policy_table_describe(const struct policy_table *t, struct arena *a,
                           struct policy_table_info *info);
