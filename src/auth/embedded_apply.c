/*
 * A change runs on a worker with the one connection for changes and takes the write lock at its
 * start, so what it checks stays true until it commits. Whatever comes of it, answers are forgotten
 * afterwards: after a failure what is in the file is not known. What is held in memory then stays
 * as it was before the change that was said to have failed, and is read again with the next one.
 *
 * Users, addresses and groups share their names: one would hide the other.
 */
#include "auth/embedded_apply.h"

#include "auth/directory_internal.h"
#include "auth/special.h"

#include <stdlib.h>

struct transaction {
    bool (*run)(struct directory_db *db, void *arg, struct err *e);
    void *arg;
    const char *begin;
    struct tables_news *news; /* of what it touched */
    bool ok;
    struct err error;
};

static void run_on_worker(struct directory_db *db, void *arg)
{
    struct transaction *t = arg;
    tables_touch_nothing(db);
    if (!sql_run(db, t->begin, &t->error))
        return;
    if (db->uncertain)
        tables_touch_all(db);
    if (t->run(db, t->arg, &t->error) && (t->news = tables_read(db, &t->error)) != NULL) {
        t->ok = sql_run(db, "COMMIT", &t->error);
        db->uncertain = !t->ok;
    }
    if (!t->ok)
        sql_run(db, "ROLLBACK", NULL); /* has happened already after some failures */
    tables_touch_nothing(db);
}

static SUSPENDS bool run(struct directory *d, bool change, struct transaction *t, struct err *e)
{
    t->begin = change ? "BEGIN IMMEDIATE" : "BEGIN";
    directory_run(d, change, run_on_worker, t);
    if (t->ok)
        embedded_take(d->embedded, t->news);
    tables_news_free(t->news);
    if (!t->ok && e)
        *e = t->error;
    return t->ok;
}

bool directory_apply(struct directory *d,
                     bool (*apply)(struct directory_db *db, void *arg, struct err *e), void *arg,
                     struct err *e)
{
    bool ok = directory_apply_quietly(d, apply, arg, e);
    directory_changed(d);
    return ok;
}

bool directory_apply_quietly(struct directory *d,
                             bool (*apply)(struct directory_db *db, void *arg, struct err *e),
                             void *arg, struct err *e)
{
    struct transaction t = {.run = apply, .arg = arg};
    return run(d, true, &t, e);
}

bool directory_read(struct directory *d,
                    bool (*read)(struct directory_db *db, void *arg, struct err *e), void *arg,
                    struct err *e)
{
    struct transaction t = {.run = read, .arg = arg};
    return run(d, false, &t, e);
}

static bool touch_all(struct directory_db *db, void *arg, struct err *e)
{
    (void)arg, (void)e;
    tables_touch_all(db);
    return true;
}

bool directory_reload(struct directory *d, struct err *e)
{
    directory_forget(d);
    return directory_apply(d, touch_all, NULL, e);
}

/* --- names --- */

static bool wrong_name(struct str text, const char *reason, struct err *e)
{
    return err_set(e, ERR_SYNTAX, "\"%.*s\": %s", STR_ARG(str_head(text, 80)), reason);
}

bool directory_own_name(struct directory *d, struct str text, struct arena *a, struct name *name,
                        struct str *full, struct err *e)
{
    const char *reason;
    if (!name_parse(a, text, name, &reason))
        return wrong_name(text, reason, e);
    if (!directory_full_name(d, text, a, full))
        return wrong_name(text, "domain missing", e);
    return name_of_text(a, *full, name) || wrong_name(text, "domain missing", e);
}

bool embedded_address(struct arena *a, struct str text, struct embedded_address *address,
                      struct err *e)
{
    struct name name;
    const char *reason;
    if (!name_destination(a, text, &address->text, &name, &reason))
        return wrong_name(text, reason, e);
    address->key = name_text(a, &name);
    return true;
}

bool embedded_destination(struct arena *a, struct str text, struct embedded_address *address,
                          struct err *e)
{
    struct str rest;
    enum special_kind kind = special_parse(text, &rest);
    if (kind == SPECIAL_NONE)
        return embedded_address(a, text, address, e);
    if (kind == SPECIAL_WRONG || text.n > SPECIAL_MAX)
        return wrong_name(text, "expected \":include:/path\", \":public:NAME\" or \":discard:\"",
                          e);
    const char *word = kind == SPECIAL_INCLUDE  ? ":include:"
                       : kind == SPECIAL_PUBLIC ? ":public:"
                                                : ":discard:";
    address->text = arena_printf(a, "%s%.*s", word, STR_ARG(rest));
    address->key = address->text;
    return true;
}

static int compare(const void *left, const void *right)
{
    const struct embedded_address *x = left, *y = right;
    return str_compare(x->key, y->key);
}

static bool parse_list(bool (*parse)(struct arena *a, struct str text,
                                     struct embedded_address *address, struct err *e),
                       struct arena *a, const struct str *texts, size_t count,
                       struct embedded_address **list, size_t *list_count, struct err *e)
{
    size_t kept = 0;
    *list = arena_array(a, count, sizeof(**list));
    for (size_t i = 0; i < count; i++)
        if (!parse(a, texts[i], &(*list)[i], e))
            return false;
    if (count > 1)
        qsort(*list, count, sizeof(**list), compare);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || !str_equal((*list)[kept - 1].key, (*list)[i].key))
            (*list)[kept++] = (*list)[i];
    *list_count = kept;
    return true;
}

bool embedded_addresses(struct arena *a, const struct str *texts, size_t count,
                        struct embedded_address **list, size_t *list_count, struct err *e)
{
    return parse_list(embedded_address, a, texts, count, list, list_count, e);
}

bool embedded_destinations(struct arena *a, const struct str *texts, size_t count,
                           struct embedded_address **list, size_t *list_count, struct err *e)
{
    return parse_list(embedded_destination, a, texts, count, list, list_count, e);
}

bool embedded_name_is_free(struct directory_db *db, struct str name, const char *except,
                           struct err *e)
{
    static const struct {
        const char *what, *query;
    } tables[] = {
        {"user", "SELECT count(*) FROM users WHERE login = ?"},
        {"address", "SELECT count(*) FROM addresses WHERE address = ?"},
        {"group", "SELECT count(*) FROM mail_groups WHERE address = ?"},
    };
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
        int64_t count;
        if (strcmp(tables[i].what, except) == 0)
            continue;
        if (!sql_number(db, &count, e, tables[i].query, "s", name))
            return false;
        if (count > 0)
            return sql_exists(e, tables[i].what, name);
    }
    return true;
}

bool embedded_display_name(struct str name, struct err *e)
{
    bool ok = name.n <= DISPLAY_NAME_MAX && (name.n == 0 || str_is_utf8(name));
    for (size_t i = 0; ok && i < name.n; i++)
        ok = (unsigned char)name.p[i] >= ' ' && name.p[i] != 0x7f;
    return ok || err_set(e, ERR_SYNTAX,
                         "the name is not UTF-8, has control characters or is longer than %d bytes",
                         DISPLAY_NAME_MAX);
}
