/*
 * backup: the mailboxes of one user or of all as an archive (archive.h), each user's as
 * they were at one moment. Beside the lists of one mailbox nothing is held in memory.
 *
 * With --since the messages that an earlier backup has are left out: a message never changes under
 * its mailbox's id, UIDVALIDITY and its UID, so it is enough to know how far the earlier one went.
 */
#include "core/clock.h"
#include "core/mem.h"
#include "mailctl/archive.h"
#include "mailctl/get.h"
#include "mailctl/interrupt.h"
#include "mailctl/maildir.h"
#include "mailctl/output.h"
#include "store/folder_name.h"

#include <stdio.h>
#include <stdlib.h>

struct backup {
    struct mailctl *m;
    struct output output;
    struct tar_writer tar;
    struct archive *since; /* NULL: a full one */
    usec time;
    struct buf user, mailbox; /* their directories */
    json_t *item;             /* the mailbox, until it is written */
    struct body list;         /* messages.jsonl */
    struct maildir_form form;
    struct buf path, name;
    bool broken; /* the archive cannot be written on */
};

/* --- members --- */

static bool write_bytes(void *arg, const void *p, size_t n, struct err *e)
{
    struct backup *b = arg;
    b->broken = !output_write(&b->output, p, n, e);
    return !b->broken;
}

static bool write_piece(void *arg, struct str piece, struct err *e)
{
    return tar_write(arg, piece, e);
}

static bool write_file(struct backup *b, const struct buf *directory, struct str name,
                       struct body *content, int64_t modified, struct err *e)
{
    uint64_t missing;
    buf_clear(&b->path);
    buf_add_str(&b->path, buf_str(directory));
    if (directory->n > 0)
        buf_add_char(&b->path, '/');
    buf_add_str(&b->path, name);
    struct tar_member member = {
        .path = buf_str(&b->path), .size = content->size, .modified = modified};
    return tar_write_member(&b->tar, &member, e) && body_each(content, write_piece, &b->tar, e) &&
           tar_end_member(&b->tar, &missing, e);
}

static bool write_text(struct backup *b, const struct buf *directory, const char *name,
                       struct str text, struct err *e)
{
    struct body body = BODY_EMPTY;
    bool ok = body_add(&body, text, e) &&
              write_file(b, directory, str_from_c(name), &body, b->time / USEC_SEC, e);
    body_clear(&body);
    buf_free(&body.memory);
    return ok;
}

static bool write_json(struct backup *b, const struct buf *directory, const char *name,
                       const json_t *json, struct err *e)
{
    char *text = json_dumps(json, JSON_INDENT(2));
    bool ok = write_text(b, directory, name, str_from_c(text), e);
    free(text);
    return ok;
}

static bool write_directories(struct backup *b, struct err *e)
{
    static const char *const names[] = {"", "/cur", "/new", "/tmp"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        buf_clear(&b->path);
        buf_printf(&b->path, "%.*s%s", STR_ARG(buf_str(&b->mailbox)), names[i]);
        struct tar_member member = {
            .path = buf_str(&b->path), .modified = b->time / USEC_SEC, .directory = true};
        if (!tar_write_member(&b->tar, &member, e))
            return false;
    }
    return true;
}

/* --- what comes from the server --- */

/* The mailbox without its messages, when its list is complete. */
static bool write_mailbox(struct backup *b, struct err *e)
{
    if (!b->item)
        return true;
    struct str keywords = maildir_keywords(&b->form);
    bool ok = write_directories(b, e) && write_json(b, &b->mailbox, ARCHIVE_MAILBOX, b->item, e) &&
              write_file(b, &b->mailbox, STR(ARCHIVE_LIST), &b->list, b->time / USEC_SEC, e) &&
              write_file(b, &b->mailbox, STR("dovecot-uidlist"), &b->form.uidlist,
                         b->time / USEC_SEC, e) &&
              (keywords.n == 0 || write_text(b, &b->mailbox, "dovecot-keywords", keywords, e));
    json_decref(b->item);
    b->item = NULL;
    body_clear(&b->list);
    return ok;
}

static bool take_user(void *arg, const json_t *user, struct err *e)
{
    struct backup *b = arg;
    static const char *const names[] = {"user", "name", "subscriptions", "metadata", "acl"};
    json_t *account = json_object();
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        json_object_set(account, names[i], json_object_get(user, names[i]));
    buf_clear(&b->user);
    archive_add_user(&b->user, text_of(user, "user"));
    bool ok = write_json(b, &b->user, ARCHIVE_ACCOUNT, account, e);
    json_decref(account);
    return ok;
}

static bool take_mailbox(void *arg, const json_t *mailbox, struct err *e)
{
    struct backup *b = arg;
    struct str name = str_from_c(text_of(mailbox, "mailbox"));
    if (!write_mailbox(b, e))
        return false;
    buf_clear(&b->mailbox);
    buf_add_str(&b->mailbox, buf_str(&b->user));
    if (!str_equal(name, STR("INBOX")))
        buf_add_char(&b->mailbox, '/');
    folder_name_add_dir(&b->mailbox, &(struct folder_naming){0}, name);
    b->item = json_deep_copy(mailbox);
    maildir_end(&b->form);
    return maildir_begin(&b->form, mailbox, e);
}

static bool take_listed(void *arg, const json_t *message, struct err *e)
{
    struct backup *b = arg;
    char *line = json_dumps(message, JSON_COMPACT);
    bool ok = body_add(&b->list, str_from_c(line), e) && body_add(&b->list, STR("\n"), e) &&
              maildir_add(&b->form, message, NULL, true, e);
    free(line);
    return ok;
}

static bool take_message(void *arg, const json_t *message, struct body *body, struct err *e)
{
    struct backup *b = arg;
    buf_clear(&b->name);
    buf_add_c(&b->name, "cur/");
    return write_mailbox(b, e) && maildir_add(&b->form, message, &b->name, false, e) &&
           write_file(b, &b->mailbox, buf_str(&b->name), body, number_of(message, "date"), e);
}

static bool take_unreadable(void *arg, const json_t *message, struct err *e)
{
    struct backup *b = arg;
    buf_clear(&b->name);
    buf_printf(&b->name, ARCHIVE_BAD "%lld", (long long)number_of(message, "uid"));
    return write_mailbox(b, e) && write_text(b, &b->mailbox, buf_c(&b->name), STR(""), e);
}

/* --- all of it --- */

static json_t *known_to(const struct backup *b, const char *login)
{
    json_t *known = json_object();
    for (struct archive_section *s = b->since ? b->since->sections : NULL; s; s = s->next)
        if (!s->incomplete && strcmp(s->user, login) == 0)
            json_object_set_new(known, s->id,
                                json_pack("{s:I, s:I, s:O}", "uid_validity",
                                          (json_int_t)s->uid_validity, "uid_next",
                                          (json_int_t)s->uid_next, "again", s->again));
    return known;
}

static bool backup_user(struct backup *b, const char *login, json_t *patterns,
                        struct get_counts *counts, struct err *e)
{
    struct message_taker taker = {take_user,    take_mailbox,    take_listed,
                                  take_message, take_unreadable, b};
    json_t *user;
    buf_clear(&b->user);
    if (!find_user(b->m, login, &user, e)) /* names in archives are whole */
        return false;
    json_t *args = json_pack("{s:O, s:b, s:o}", "user", json_object_get(user, "login"), "list", 1,
                             "known", known_to(b, text_of(user, "login")));
    json_object_set(args, "mailboxes", patterns);
    json_decref(user);
    bool ok = messages_get(b->m, args, &taker, counts, e) && write_mailbox(b, e);
    json_decref(b->item);
    b->item = NULL;
    body_clear(&b->list);
    maildir_end(&b->form);
    return ok;
}

/* With several users one that cannot be read is no reason to have no backup of the others. */
static bool is_fatal(const struct backup *b, const json_t *logins, const struct err *e)
{
    return json_array_size(logins) == 1 || e->kind == ERR_CLOSED || e->kind == ERR_CANCELLED ||
           b->broken || b->tar.left + b->tar.padding > 0;
}

static bool backup_users(struct backup *b, const json_t *logins, json_t *patterns,
                         struct get_counts *counts, struct err *e)
{
    size_t i;
    json_t *login;
    json_t *first =
        json_pack("{s:i, s:I, s:I}", "format", ARCHIVE_FORMAT, "time", (json_int_t)b->time, "since",
                  (json_int_t)(b->since ? b->since->time : 0));
    bool ok = write_json(b, &(struct buf){0}, ARCHIVE_FIRST, first, e);
    json_decref(first);
    json_array_foreach(logins, i, login)
    {
        if (!ok)
            break;
        ok = backup_user(b, json_string_value(login), patterns, counts, e);
        if (!ok && !is_fatal(b, logins, e)) {
            fail("%s: %s", json_string_value(login), e->text);
            counts->failed++;
            ok = b->user.n == 0 || write_text(b, &b->user, ARCHIVE_INCOMPLETE, STR(""), e);
        }
    }
    return ok && tar_end(&b->tar, e);
}

static bool read_since(struct backup *b, const char *path, struct err *e)
{
    if (!path)
        return true;
    b->since = archive_open(b->m, path, e);
    if (!b->since)
        return false;
    return b->since->seekable ? archive_scan(b->since, e)
                              : err_set(e, ERR_PERM, "--since needs a file, not a pipe");
}

static int report(struct mailctl *m, const struct arguments *a, const struct get_counts *counts,
                  size_t users)
{
    struct buf size = BUF_EMPTY;
    char texts[3][COUNT_TEXT];
    add_size(&size, (int64_t)counts->bytes);
    FILE *to = strcmp(argument(a, a->count - 1), "-") == 0 ? stderr : stdout;
    json_t *json =
        json_pack("{s:I, s:I, s:I, s:I, s:I}", "users", (json_int_t)users, "mailboxes",
                  (json_int_t)counts->mailboxes, "messages", (json_int_t)counts->messages, "bytes",
                  (json_int_t)counts->bytes, "failed", (json_int_t)counts->failed);
    if (m->json)
        print_json_beside(json, to == stdout);
    else
        fprintf(to, "saved %s (%s) in %s of %s\n",
                count_of(texts[0], (int64_t)counts->messages, "message"), buf_c(&size),
                count_of(texts[1], (int64_t)counts->mailboxes, "mailbox"),
                count_of(texts[2], (int64_t)users, "user"));
    json_decref(json);
    buf_free(&size);
    return counts->failed > 0 ? EXIT_FAILED : EXIT_OK;
}

static void free_backup(struct backup *b)
{
    if (b->since)
        archive_close(b->since);
    buf_free(&b->user);
    buf_free(&b->mailbox);
    buf_free(&b->list.memory);
    buf_free(&b->path);
    buf_free(&b->name);
}

int command_backup(struct mailctl *m, const struct arguments *a)
{
    struct backup b = {.m = m, .list = BODY_EMPTY, .time = clock_wall()};
    struct get_counts counts = {0};
    struct err e = {0};
    bool all = option(a, "--all") != NULL;
    if (a->count != (all ? 1u : 2u))
        return fail_usage("usage: mailctl backup USER|--all FILE");
    interrupt_catch();
    json_t *logins = logins_of(m, all ? NULL : a->words[0], &e);
    json_t *patterns = option_list(a, "--mailbox");
    bool ok = logins && read_since(&b, option(a, "--since"), &e) &&
              output_open(&b.output, a->words[a->count - 1], &e);
    if (ok) {
        b.tar.to = (struct tar_output){write_bytes, &b};
        ok = backup_users(&b, logins, patterns, &counts, &e);
        ok = output_close(&b.output, ok, &e);
    }
    size_t users = json_array_size(logins);
    json_decref(logins);
    json_decref(patterns);
    free_backup(&b);
    return ok ? report(m, a, &counts, users) : fail_error(&e);
}
