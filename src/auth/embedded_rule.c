/*
 * Rules: what an operator says of them, and their rows. A rule is checked as a whole before it is
 * written - the pattern compiles, the destinations are such - so that what is in the file works.
 *
 * Only what stands in a destination as an address is a template: what a stranger writes can become
 * a part of an address and nothing else, never a path or the name of a mailbox.
 */
#include "auth/embedded_rule.h"

#include "auth/directory_internal.h"
#include "auth/embedded_domain.h"
#include "auth/embedded_tables.h"
#include "auth/rule_table.h"
#include "auth/special.h"
#include "core/pattern.h"
#include "core/worker.h"

/* --- what fits --- */

static bool check_name(struct str name, struct err *e)
{
    return (name.n > 0 && name.n <= RULE_NAME_MAX && embedded_display_name(name, NULL)) ||
           err_set(e, ERR_SYNTAX,
                   "a rule needs a name of at most %d bytes without control characters",
                   RULE_NAME_MAX);
}

static bool check_pattern(struct str text, struct err *e)
{
    if (text.n == 0 || text.n > RULE_PATTERN_MAX)
        return err_set(e, ERR_SYNTAX, "a pattern has 1 to %d bytes", RULE_PATTERN_MAX);
    struct pattern *p = pattern_new(text, PATTERN_UTF, e);
    pattern_free(p);
    return p != NULL;
}

/* As it would be if each group were a letter. */
static bool template_is_address(struct arena *a, struct str text, struct err *e)
{
    struct buf example = BUF_EMPTY;
    struct embedded_address ignored;
    bool groups = pattern_has_groups(text);
    for (size_t i = 0; i < text.n; i++) {
        bool group = pattern_has_groups(str_head(str_skip(text, i), 2));
        buf_add_char(&example, group ? 'a' : text.p[i]);
        i += group;
    }
    bool ok = (groups && str_find_char(text, '@') < 0) ||
              embedded_address(a, buf_str(&example), &ignored, NULL);
    buf_free(&example);
    return ok || err_set(e, ERR_SYNTAX, "\"%.*s\" is no address such as $1@example.org",
                         STR_ARG(str_head(text, 80)));
}

static bool normal_destination(struct arena *a, struct str text, struct str *normal, struct err *e)
{
    struct embedded_address address;
    struct str rest;
    text = str_trim(text);
    if (special_parse(text, &rest) == SPECIAL_NONE && pattern_has_groups(text)) {
        *normal = arena_str(a, text);
        return template_is_address(a, text, e);
    }
    bool ok = embedded_destination(a, text, &address, e);
    *normal = address.text;
    return ok;
}

static bool normal_destinations(struct arena *a, struct address_rule_change *c, struct err *e)
{
    struct str *list = arena_array(a, c->count, sizeof(*list));
    if (c->count == 0 || c->count > RULE_DESTINATIONS_MAX)
        return err_set(e, ERR_SYNTAX, "a rule has 1 to %d destinations", RULE_DESTINATIONS_MAX);
    for (size_t i = 0; i < c->count; i++)
        if (!normal_destination(a, c->destinations[i], &list[i], e))
            return false;
    c->destinations = list;
    return true;
}

bool rule_order_fill(struct rule_order *o, struct arena *a, struct str name,
                     const struct address_rule_change *change, struct err *e)
{
    o->name = arena_str(a, str_trim(name));
    o->change = *change;
    if (change->domain.n > 0 && !name_domain(a, change->domain, &o->change.domain))
        return err_set(e, ERR_SYNTAX, "\"%.*s\" is no domain name",
                       STR_ARG(str_head(change->domain, 80)));
    return check_name(o->name, e) && (!change->pattern.p || check_pattern(change->pattern, e)) &&
           (!change->set_destinations || normal_destinations(a, &o->change, e));
}

/* --- the database --- */

static bool read_destinations(struct directory_db *db, int64_t id, struct arena *a,
                              struct address_rule *rule, struct err *e)
{
    sqlite3_stmt *s = sql_prepare(
        db, e, "SELECT destination FROM rule_destinations WHERE rule = ? ORDER BY destination", "i",
        id);
    return sql_read_texts(db, s, a, &rule->destinations, &rule->count, e);
}

/* name empty: all. */
static bool read_rules(struct directory_db *db, struct str name, struct arena *a,
                       struct sql_rows *rows, struct err *e)
{
    enum sql_step step = SQL_FAILED;
    sqlite3_stmt *s =
        sql_prepare(db, e,
                    "SELECT rules.id, rules.name, pattern, domains.name, internal FROM rules"
                    " LEFT JOIN domains ON domains.id = domain WHERE ?1 = '' OR rules.name = ?1"
                    " ORDER BY position",
                    "s", name);
    while (s && (step = sql_step(db, s, e)) == SQL_ROW) {
        struct address_rule *rule = sql_rows_add(rows, a);
        rule->name = sql_text(s, 1, a);
        rule->pattern = sql_text(s, 2, a);
        rule->domain = sql_text(s, 3, a);
        rule->internal = sqlite3_column_int(s, 4) != 0;
        if (!read_destinations(db, sqlite3_column_int64(s, 0), a, rule, e)) {
            step = SQL_FAILED;
            break;
        }
    }
    sqlite3_finalize(s);
    return step == SQL_END;
}

bool rule_db_list(struct directory_db *db, struct arena *a, struct address_rule **list,
                  size_t *count, struct err *e)
{
    struct sql_rows rows = {.size = sizeof(struct address_rule)};
    bool ok = read_rules(db, STR(""), a, &rows, e);
    *list = (struct address_rule *)rows.p;
    *count = rows.count;
    return ok;
}

enum lookup rule_db_find(struct directory_db *db, struct str name, struct arena *a,
                         struct address_rule *rule, struct err *e)
{
    struct sql_rows rows = {.size = sizeof(*rule)};
    if (!read_rules(db, name, a, &rows, e))
        return LOOKUP_TEMPFAIL;
    if (rows.count == 0)
        return LOOKUP_NOT_FOUND;
    *rule = *(struct address_rule *)rows.p;
    return LOOKUP_FOUND;
}

static bool find_row(struct directory_db *db, struct str name, int64_t *id, struct err *e)
{
    return sql_number(db, id, e, "SELECT id FROM rules WHERE name = ?", "s", name) &&
           (*id != 0 || sql_missing(e, "rule", name));
}

static bool write_destinations(struct directory_db *db, int64_t id,
                               const struct address_rule_change *c, struct err *e)
{
    bool ok = sql_change(db, NULL, e, "DELETE FROM rule_destinations WHERE rule = ?", "i", id);
    for (size_t i = 0; ok && i < c->count; i++)
        ok = sql_change(db, NULL, e,
                        "INSERT INTO rule_destinations (rule, destination) VALUES (?, ?)"
                        " ON CONFLICT DO NOTHING",
                        "is", id, c->destinations[i]);
    return ok;
}

bool rule_db_set(struct directory_db *db, void *arg, struct err *e)
{
    const struct rule_order *o = arg;
    const struct address_rule_change *c = &o->change;
    int64_t id, domain;
    tables_touch_rules(db);
    return find_row(db, o->name, &id, e) &&
           (c->domain.n == 0 || domain_db_id(db, c->domain, &domain, e)) &&
           sql_change(db, NULL, e,
                      "UPDATE rules SET pattern = iif(?1, ?2, pattern),"
                      " domain = iif(?3, (SELECT id FROM domains WHERE name = ?4), domain),"
                      " internal = iif(?5, ?6, internal) WHERE id = ?7",
                      "isisiii", (int64_t)(c->pattern.p != NULL), c->pattern,
                      (int64_t)(c->domain.p != NULL), c->domain, (int64_t)c->set_internal,
                      (int64_t)c->internal, id) &&
           (!c->set_destinations || write_destinations(db, id, c, e));
}

/* A free place in front of `before`, or at the end. */
static bool make_place(struct directory_db *db, struct str before, int64_t *place, struct err *e)
{
    int64_t id;
    if (before.n == 0)
        return sql_number(db, place, e, "SELECT coalesce(max(position), 0) + 1 FROM rules", "");
    return find_row(db, before, &id, e) &&
           sql_number(db, place, e, "SELECT position FROM rules WHERE id = ?", "i", id) &&
           sql_change(db, NULL, e, "UPDATE rules SET position = position + 1 WHERE position >= ?",
                      "i", *place);
}

bool rule_db_add(struct directory_db *db, void *arg, struct err *e)
{
    const struct rule_order *o = arg;
    int64_t count, same, place;
    if (!o->change.pattern.p || !o->change.set_destinations)
        return err_set(e, ERR_SYNTAX, "a rule needs a pattern and destinations");
    if (!sql_number(db, &count, e, "SELECT count(*) FROM rules", "") ||
        !sql_number(db, &same, e, "SELECT count(*) FROM rules WHERE name = ?", "s", o->name))
        return false;
    if (same > 0)
        return sql_exists(e, "rule", o->name);
    if (count >= RULES_MAX)
        return err_set(e, ERR_LIMIT, "there are %d rules already", RULES_MAX);
    return make_place(db, o->before, &place, e) &&
           sql_change(db, NULL, e, "INSERT INTO rules (position, name, pattern) VALUES (?, ?, '')",
                      "is", place, o->name) &&
           rule_db_set(db, arg, e);
}

bool rule_db_move(struct directory_db *db, void *arg, struct err *e)
{
    const struct rule_order *o = arg;
    int64_t id, place;
    tables_touch_rules(db);
    return find_row(db, o->name, &id, e) &&
           (str_equal(o->name, o->before) ||
            (make_place(db, o->before, &place, e) &&
             sql_change(db, NULL, e, "UPDATE rules SET position = ? WHERE id = ?", "ii", place,
                        id)));
}

bool rule_db_delete(struct directory_db *db, void *arg, struct err *e)
{
    const struct rule_order *o = arg;
    int64_t id;
    tables_touch_rules(db);
    return find_row(db, o->name, &id, e) &&
           sql_change(db, NULL, e, "DELETE FROM rules WHERE id = ?", "i", id);
}

/* --- as the rest of the server asks for them --- */

static SUSPENDS bool run_order(struct directory *d, struct str name, struct str before,
                               const struct address_rule_change *change,
                               bool (*apply)(struct directory_db *db, void *arg, struct err *e),
                               struct err *e)
{
    static const struct address_rule_change none;
    struct arena *a = arena_new();
    struct rule_order o = {.before = arena_str(a, str_trim(before))};
    bool ok = rule_order_fill(&o, a, name, change ? change : &none, e) &&
              directory_apply(d, apply, &o, e);
    arena_free(a);
    return ok;
}

bool directory_add_rule(struct directory *d, const struct address_rule *rule, struct str before,
                        struct err *e)
{
    struct address_rule_change change = {.pattern = rule->pattern,
                                         .domain = rule->domain,
                                         .set_destinations = true,
                                         .destinations = rule->destinations,
                                         .count = rule->count,
                                         .set_internal = true,
                                         .internal = rule->internal};
    return run_order(d, rule->name, before, &change, rule_db_add, e);
}

bool directory_set_rule(struct directory *d, struct str name,
                        const struct address_rule_change *change, struct err *e)
{
    return run_order(d, name, STR(""), change, rule_db_set, e);
}

bool directory_move_rule(struct directory *d, struct str name, struct str before, struct err *e)
{
    return run_order(d, name, before, NULL, rule_db_move, e);
}

bool directory_delete_rule(struct directory *d, struct str name, struct err *e)
{
    return run_order(d, name, STR(""), NULL, rule_db_delete, e);
}

struct rule_listing {
    struct arena *arena;
    struct address_rule *list;
    size_t count;
};

static bool list_rules(struct directory_db *db, void *arg, struct err *e)
{
    struct rule_listing *l = arg;
    return rule_db_list(db, l->arena, &l->list, &l->count, e);
}

bool directory_list_rules(struct directory *d, struct arena *a, struct address_rule **list,
                          size_t *count, struct err *e)
{
    struct rule_listing l = {.arena = a};
    bool ok = directory_read(d, list_rules, &l, e);
    *list = l.list;
    *count = l.count;
    return ok;
}

/* --- the rule for an address --- */

struct rule_job {
    const struct rule_table *table;
    struct rule_search *search;
    enum lookup status;
};

static void match_on_worker(void *arg)
{
    struct rule_job *job = arg;
    bool more;
    job->search->deadline = DEADLINE_NONE;
    job->status = rule_table_match(job->table, job->search, &more);
}

static SUSPENDS enum lookup match(struct rule_table *table, struct rule_search *s)
{
    bool more;
    struct rule_job job = {table, s, rule_table_match(table, s, &more)};
    if (more) {
        rule_table_ref(table);
        worker_run(WORKER_CPU, match_on_worker, &job);
        rule_table_unref(table);
    }
    return job.status;
}

enum lookup directory_match_rule(struct directory *d, struct str domain, bool is_local,
                                 struct str address, struct arena *a,
                                 struct directory_address *found, struct str *name, struct err *e)
{
    struct rule_search s = {.domain = domain,
                            .address = address,
                            .is_local = is_local,
                            .deadline = deadline_in(RULES_LOOP_TIME),
                            .arena = a,
                            .found = found,
                            .name = name};
    enum lookup status = match(embedded_tables(d->embedded)->rules, &s);
    if (status == LOOKUP_TEMPFAIL && e)
        *e = s.error;
    return status;
}
