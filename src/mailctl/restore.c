/*
 * restore: mailboxes or single messages out of backups, mailbox by mailbox. The last backup says
 * which messages a mailbox has; each is taken from the one that holds it, which with incremental
 * backups is an earlier one. What is in the mailbox already stays as it is.
 */
#include "core/mem.h"
#include "imap/list_match.h"
#include "mailctl/archive.h"
#include "mailctl/get.h"
#include "mailctl/interrupt.h"
#include "mailctl/maildir.h"
#include "mailctl/match.h"
#include "mailctl/put.h"
#include "mime/header.h"

#include <stdlib.h>

#define LIST_MAX ((uint64_t)1024 * 1024 * 1024)

struct restoring {
    struct mailctl *m;
    const char *user; /* NULL: all */
    const char *to_user, *into;
    json_t *patterns;
    struct imap_argument *keys; /* NULL: all messages */
    struct archive **archives;  /* the last one is the newest */
    size_t count;
    struct table *table; /* nothing is restored, but shown */
    json_t *shown;       /* the same with --json */
    struct putting put;
    bool begun, refused; /* the mailbox at the server; it was refused */
    struct archive_section *section;
    struct message_list list;
    struct body body;
    size_t mailboxes;      /* that were meant */
    const char *looked_up; /* this user, and whether there is one */
    bool exists;
};

/* --- what is meant --- */

static bool is_user(const struct restoring *r, const char *login)
{
    struct str rest = str_from_c(login);
    if (!r->user || strcmp(r->user, login) == 0)
        return true;
    return !strchr(r->user, '@') && str_equal(str_split(&rest, '@'), str_from_c(r->user));
}

static bool is_meant(const struct restoring *r, const struct archive_section *s)
{
    size_t i;
    json_t *pattern;
    if (!is_user(r, s->user))
        return false;
    json_array_foreach(r->patterns, i,
                       pattern) if (list_match(str_from_c(json_string_value(pattern)),
                                               str_from_c(s->name))) return true;
    return json_array_size(r->patterns) == 0;
}

/* --- showing --- */

static void show_mailbox(struct restoring *r)
{
    const struct archive_section *s = r->section;
    if (r->m->json) {
        json_array_append_new(
            r->shown, json_pack("{s:s, s:s, s:I, s:I, s:I}", "user", s->user, "mailbox", s->name,
                                "messages", (json_int_t)s->messages, "uid_validity",
                                (json_int_t)s->uid_validity, "uid_next", (json_int_t)s->uid_next));
        return;
    }
    table_add(r->table, s->user);
    table_add(r->table, s->name);
    table_printf(r->table, "%lld", (long long)s->messages);
    table_printf(r->table, "%u", s->uid_validity);
    table_printf(r->table, "%u", s->uid_next);
}

static const char *header_text(struct arena *a, struct str header, struct str name)
{
    struct str value;
    return header_find(header, name, &value) ? arena_c(a, header_decode(a, value)) : "";
}

static bool show_message(struct restoring *r, const json_t *line, struct err *e)
{
    struct arena *a = arena_new();
    struct str bytes, header;
    size_t end;
    if (!body_view(&r->body, &bytes, e)) {
        arena_free(a);
        return false;
    }
    header = header_find_end(bytes, NULL, &end) ? str_head(bytes, end) : bytes;
    const char *from = header_text(a, header, STR("From"));
    const char *subject = header_text(a, header, STR("Subject"));
    if (r->m->json) {
        json_t *json = json_deep_copy(line);
        json_object_set_new(json, "user", json_string(r->section->user));
        json_object_set_new(json, "mailbox", json_string(r->section->name));
        json_object_set_new(json, "from", json_string(from));
        json_object_set_new(json, "subject", json_string(subject));
        json_array_append_new(r->shown, json);
    } else {
        table_add(r->table, r->section->user);
        table_add(r->table, r->section->name);
        table_printf(r->table, "%lld", (long long)number_of(line, "uid"));
        table_add_time(r->table, number_of(line, "date"));
        table_add_size(r->table, (int64_t)bytes.n);
        table_add(r->table, from);
        table_add(r->table, subject);
    }
    arena_free(a);
    return true;
}

/* --- restoring --- */

static json_t *put_args(const struct restoring *r)
{
    const struct archive_section *s = r->section;
    json_t *args = json_pack("{s:s, s:s, s:b}", "user", r->to_user ? r->to_user : s->user,
                             "mailbox", r->into ? r->into : s->name, "missing", 1);
    if (r->into)
        return args;
    json_object_set_new(args, "id", json_string(s->id));
    json_object_set_new(args, "uid_validity", json_integer(s->uid_validity));
    json_object_set_new(args, "uid_next", json_integer(s->uid_next));
    json_object_set_new(args, "time", json_integer(r->archives[r->count - 1]->time / USEC_SEC));
    json_object_set_new(args, "subscribe", json_boolean(s->subscribed));
    if (s->metadata)
        json_object_set(args, "metadata", s->metadata);
    if (s->acl)
        json_object_set(args, "acl", s->acl);
    if (s->account_acl && !r->keys)
        json_object_set(args, "account_acl", s->account_acl);
    if (s->account_metadata && !r->keys && strcmp(s->name, "INBOX") == 0)
        json_object_set(args, "account_metadata", s->account_metadata);
    return args;
}

/* The server does not take this mailbox, or no more of it: the others may do better. */
static bool refuse(struct restoring *r, struct err *e)
{
    put_close(&r->put);
    r->begun = false;
    r->refused = true;
    if (put_is_over(e))
        return false;
    fail("%s, %s: %s", r->section->user, r->section->name, e->text);
    r->put.counts.failed++;
    return true;
}

static bool begin(struct restoring *r, struct err *e)
{
    if (r->begun || r->refused || r->shown)
        return true;
    r->begun = put_begin(&r->put, put_args(r), e);
    return r->begun || refuse(r, e);
}

static bool give(struct restoring *r, const json_t *line, struct err *e)
{
    if (r->shown)
        return show_message(r, line, e);
    return begin(r, e) && (!r->begun || put_message(&r->put, line, &r->body, e) || refuse(r, e));
}

static bool read_body(struct restoring *r, struct archive *a, struct err *e)
{
    struct str piece;
    body_clear(&r->body);
    do {
        if (!archive_read(a, &piece, e) || !body_add(&r->body, piece, e))
            return false;
    } while (piece.n > 0);
    return true;
}

static bool take_message(struct restoring *r, struct archive *a, struct listed *l, struct err *e)
{
    enum search_answer answer;
    json_t *line = match_line(&r->list, l);
    bool ok = match_message(&r->list, l, line, NULL, &answer, e);
    l->done = true;
    if (ok && answer != SEARCH_FALSE) {
        ok = read_body(r, a, e) && match_message(&r->list, l, line, &r->body, &answer, e) &&
             (answer != SEARCH_TRUE || give(r, line, e));
    }
    json_decref(line);
    return ok;
}

/* The messages of the section that `a` stands at. */
static bool take_messages(struct restoring *r, struct archive *a, struct err *e)
{
    struct str name;
    uint64_t size;
    bool end = false;
    while (!end && !r->refused) {
        if (is_interrupted())
            return err_interrupted(e);
        if (!archive_next_file(a, &name, &size, &end, e))
            return false;
        if (end || !str_starts_with(name, STR("cur/")))
            continue;
        struct listed *l = match_find(&r->list, maildir_name_uid(name));
        if (l && !l->done && !take_message(r, a, l, e))
            return false;
    }
    return true;
}

static bool read_list(struct restoring *r, struct archive *a, struct err *e)
{
    struct str name;
    uint64_t size;
    bool end;
    do {
        if (!archive_next_file(a, &name, &size, &end, e))
            return false;
    } while (!end && !str_equal(name, STR(ARCHIVE_LIST)));
    if (end)
        return err_set(e, ERR_SYNTAX, "%s: %s, %s: it has no list of messages", a->path,
                       r->section->user, r->section->name);
    return archive_read_file(a, LIST_MAX, &r->list.text, e) &&
           (match_begin(&r->list, str_from_c(r->section->name), r->keys, e) ||
            err_prefix(e, "%s: %s, %s", a->path, r->section->user, r->section->name));
}

/* Messages that the query may mean and that no archive had. */
static void report_missing(struct restoring *r)
{
    enum search_answer answer;
    uint64_t missing = 0;
    char text[COUNT_TEXT];
    struct err e;
    for (size_t i = 0; i < r->list.count; i++) {
        struct listed *l = &r->list.items[i];
        if (l->done)
            continue;
        json_t *line = match_line(&r->list, l);
        missing += match_message(&r->list, l, line, NULL, &answer, &e) && answer == SEARCH_TRUE;
        json_decref(line);
    }
    if (missing == 0 || r->refused)
        return;
    r->put.counts.failed += missing;
    fail("%s, %s: %s %s", r->section->user, r->section->name,
         count_of(text, (int64_t)missing, "message"),
         r->archives[0]->since ? "missing in these backups: also give those that they continue"
                               : "missing in the backup: unreadable when it was made");
}

static bool is_same_mailbox(const struct archive_section *a, const struct archive_section *b)
{
    return a->uid_validity == b->uid_validity && strcmp(a->id, b->id) == 0 &&
           strcmp(a->user, b->user) == 0;
}

static bool take_from_all(struct restoring *r, struct err *e)
{
    for (size_t i = 0; i < r->count; i++)
        for (struct archive_section *s = r->archives[i]->sections; s; s = s->next)
            if (is_same_mailbox(s, r->section) && !r->refused &&
                (!archive_seek(r->archives[i], s, e) || !take_messages(r, r->archives[i], e)))
                return false;
    return true;
}

/* A user who is not there (any more) is told once. */
static bool look_up_user(struct restoring *r, struct err *e)
{
    const char *login = r->to_user ? r->to_user : r->section->user;
    json_t *user = NULL;
    struct err error;
    if (r->shown || (r->looked_up && strcmp(r->looked_up, login) == 0))
        return true;
    r->looked_up = login;
    r->exists = find_user(r->m, login, &user, &error);
    json_decref(user);
    if (r->exists)
        return true;
    if (error.kind != ERR_NOT_FOUND || r->user) {
        *e = error;
        return false;
    }
    fail_error(&error);
    r->put.counts.failed++;
    return true;
}

/* The last archive stands at r->section. */
static bool take_mailbox(struct restoring *r, struct err *e)
{
    struct archive *newest = r->archives[r->count - 1];
    r->mailboxes++;
    if (!look_up_user(r, e))
        return false;
    if (!r->shown && !r->exists)
        return true;
    r->begun = r->refused = false;
    if (r->shown && !r->keys) {
        show_mailbox(r);
        return true;
    }
    bool ok = read_list(r, newest, e) && (r->keys || begin(r, e)) &&
              (newest->seekable ? take_from_all(r, e) : take_messages(r, newest, e));
    if (ok)
        report_missing(r);
    if (ok && r->begun)
        ok = put_end(&r->put, e) || refuse(r, e);
    match_end(&r->list);
    return ok;
}

static bool take_all(struct restoring *r, struct err *e)
{
    struct archive *newest = r->archives[r->count - 1];
    bool ok = true;
    if (newest->seekable) {
        for (struct archive_section *s = newest->sections; s && ok; s = s->next) {
            r->section = s;
            ok = !is_meant(r, s) || (archive_seek(newest, s, e) && take_mailbox(r, e));
        }
        return ok;
    }
    while (ok) {
        ok = archive_next_section(newest, &r->section, e);
        if (!ok || !r->section)
            break;
        ok = !is_meant(r, r->section) || take_mailbox(r, e);
    }
    return ok;
}

/* --- the archives --- */

static int compare_times(const void *a, const void *b)
{
    const struct archive *const *x = a, *const *y = b;
    return (*x)->time < (*y)->time ? -1 : (*x)->time > (*y)->time;
}

/* "alice" may be only one of those in the archive. */
static bool check_user(const struct restoring *r, const struct archive *a, struct err *e)
{
    const char *first = NULL;
    for (const struct archive_section *s = a->sections; r->user && s; s = s->next) {
        if (!is_user(r, s->user))
            continue;
        if (first && strcmp(first, s->user) != 0)
            return err_set(e, ERR_SYNTAX, "%s is %s or %s: say which", r->user, first, s->user);
        first = s->user;
    }
    return true;
}

static uint64_t messages_meant(const struct restoring *r, const struct archive *a)
{
    uint64_t messages = 0;
    for (const struct archive_section *s = a->sections; s; s = s->next)
        messages += is_meant(r, s) ? (uint64_t)s->messages : 0;
    return messages;
}

static bool open_archives(struct restoring *r, const char **paths, size_t count, struct err *e)
{
    r->archives = mem_array(count + 1, sizeof(struct archive *));
    for (size_t i = 0; i < count; i++) {
        struct archive *a = archive_open(r->m, paths[i], e);
        if (!a)
            return false;
        r->archives[r->count++] = a;
        if (!a->seekable && count > 1)
            return err_set(e, ERR_PERM, "%s: of several backups none can be a pipe", a->path);
        if (a->seekable && !archive_scan(a, e))
            return false;
    }
    qsort(r->archives, r->count, sizeof(struct archive *), compare_times);
    struct archive *newest = r->archives[r->count - 1];
    r->put.of = r->keys ? 0 : messages_meant(r, newest);
    return check_user(r, newest, e);
}

/* --- the command --- */

static bool take_query(struct restoring *r, const struct arguments *a, struct err *e)
{
    const char *text = option(a, "--query");
    return !text || match_parse(r->m->arena, str_from_c(text), &r->keys, e);
}

static void make_table(struct restoring *r)
{
    static const char *const mailboxes[] = {"user",         "mailbox",  ">messages",
                                            ">uidvalidity", ">uidnext", NULL};
    static const char *const messages[] = {"user",  "mailbox", ">uid",    "date",
                                           ">size", "from",    "subject", NULL};
    r->shown = json_array();
    r->table = table_new(r->keys ? messages : mailboxes);
}

static int end(struct restoring *r, bool ok)
{
    bool list = r->shown != NULL;
    int status = r->put.counts.failed > 0 ? EXIT_FAILED : EXIT_OK;
    if (list && ok && r->m->json)
        print_json(r->shown);
    if (list)
        table_end(r->table, ok && !r->m->json,
                  r->keys ? "no message is like that" : "there are no mailboxes in it");
    json_decref(r->shown);
    return list || !ok ? status : put_report(&r->put, "restored");
}

static void free_restoring(struct restoring *r)
{
    put_close(&r->put);
    for (size_t i = 0; i < r->count; i++)
        archive_close(r->archives[i]);
    free(r->archives);
    match_end(&r->list);
    json_decref(r->patterns);
    body_clear(&r->body);
    buf_free(&r->body.memory);
}

int command_restore(struct mailctl *m, const struct arguments *a)
{
    struct restoring r = {.m = m, .put = {.m = m}, .body = BODY_EMPTY};
    struct err e = {0};
    bool all = option(a, "--all") != NULL;
    if (a->count < (all ? 1u : 2u))
        return fail_usage("usage: mailctl restore USER|--all FILE...");
    if (all && option(a, "--to-user"))
        return fail_usage("--to-user is for one user's mail, not for --all");
    r.user = all ? NULL : a->words[0];
    r.to_user = option(a, "--to-user");
    r.into = option(a, "--into");
    r.put.one = r.into != NULL;
    r.patterns = option_list(a, "--mailbox");
    interrupt_catch();
    bool ok = take_query(&r, a, &e);
    if (ok && option(a, "--list"))
        make_table(&r);
    ok = ok && open_archives(&r, a->words + !all, a->count - !all, &e) && take_all(&r, &e);
    if (ok && r.mailboxes == 0)
        ok = err_set(&e, ERR_NOT_FOUND, "%s has no %s%s", r.archives[r.count - 1]->path,
                     json_array_size(r.patterns) > 0 ? "such mailbox of " : "mail of ",
                     r.user ? r.user : "anybody");
    progress_clear(m);
    int status = end(&r, ok);
    free_restoring(&r);
    return ok ? status : fail_error(&e);
}
