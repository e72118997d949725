/*
 * export: mailboxes as files that other programs read: a Maildir++ (with UIDs and keywords as
 * Dovecot has them), or an mbox for each mailbox. The directory is made under another name and gets
 * its own when all is in it and synced.
 */
#include "core/disk.h"
#include "mailctl/archive.h"
#include "mailctl/get.h"
#include "mailctl/interrupt.h"
#include "mailctl/maildir.h"
#include "mailctl/mbox.h"
#include "mailctl/output.h"
#include "mime/header.h"
#include "store/folder_name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

struct exporting {
    struct mailctl *m;
    bool mbox, users; /* a directory for each user */
    char *root;       /* NULL: standard output */
    struct buf user;  /* directory of the user */
    struct buf directory, path;
    bool in_mailbox;
    struct maildir_form form;
    struct mbox_writer writer;
    struct output output; /* mbox */
    int fd;               /* Maildir: the message */
};

static bool make_directory(struct exporting *x, const char *name, struct err *e)
{
    buf_clear(&x->path);
    buf_printf(&x->path, "%.*s%s", STR_ARG(buf_str(&x->directory)), name);
    return disk_make_dirs(buf_c(&x->path), 0700, e);
}

/* --- Maildir --- */

static bool write_small(struct exporting *x, const char *name, struct body *body, struct err *e)
{
    struct str content;
    buf_clear(&x->path);
    buf_printf(&x->path, "%.*s/%s", STR_ARG(buf_str(&x->directory)), name);
    return body_view(body, &content, e) && disk_replace_file(buf_c(&x->path), content, 0600, e);
}

static bool end_maildir(struct exporting *x, struct err *e)
{
    struct body keywords = BODY_EMPTY;
    struct str text = maildir_keywords(&x->form);
    bool ok = write_small(x, "dovecot-uidlist", &x->form.uidlist, e) &&
              (text.n == 0 ||
               (body_add(&keywords, text, e) && write_small(x, "dovecot-keywords", &keywords, e)));
    body_clear(&keywords);
    buf_free(&keywords.memory);
    maildir_end(&x->form);
    return ok;
}

static bool begin_maildir(struct exporting *x, const json_t *mailbox, struct err *e)
{
    struct str name = str_from_c(text_of(mailbox, "mailbox"));
    if (!str_equal(name, STR("INBOX")))
        buf_add_char(&x->directory, '/');
    folder_name_add_dir(&x->directory, &(struct folder_naming){0}, name);
    if (!make_directory(x, "/cur", e) || !make_directory(x, "/new", e) ||
        !make_directory(x, "/tmp", e))
        return false;
    struct body empty = BODY_EMPTY;
    return (str_equal(name, STR("INBOX")) || write_small(x, "maildirfolder", &empty, e)) &&
           maildir_begin(&x->form, mailbox, e);
}

static bool write_piece(void *arg, struct str piece, struct err *e)
{
    struct exporting *x = arg;
    return disk_write(x->fd, piece.p, piece.n, buf_c(&x->path), e);
}

static bool write_maildir(struct exporting *x, const json_t *message, struct body *body,
                          struct err *e)
{
    buf_clear(&x->path);
    buf_printf(&x->path, "%.*s/cur/", STR_ARG(buf_str(&x->directory)));
    if (!maildir_add(&x->form, message, &x->path, true, e) ||
        !disk_open(buf_c(&x->path), O_WRONLY | O_CREAT | O_EXCL, 0600, &x->fd, e))
        return false;
    bool ok = body_each(body, write_piece, x, e);
    disk_close(x->fd);
    return ok && disk_set_times(buf_c(&x->path), number_of(message, "date") * USEC_SEC, e);
}

/* --- mbox --- */

static bool begin_mbox(struct exporting *x, const json_t *mailbox, struct err *e)
{
    if (!x->root)
        return output_open(&x->output, "-", e);
    struct str name = str_from_c(text_of(mailbox, "mailbox"));
    ptrdiff_t slash = str_find_last_char(name, '/');
    buf_add_char(&x->directory, '/');
    size_t base = x->directory.n;
    buf_add_str(&x->directory, str_head(name, slash >= 0 ? (size_t)slash : 0));
    if (!make_directory(x, "", e))
        return false;
    x->directory.n = base;
    buf_printf(&x->directory, "%.*s.mbox", STR_ARG(name));
    return output_open(&x->output, buf_c(&x->directory), e);
}

static bool format_piece(void *arg, struct str piece, struct err *e)
{
    struct exporting *x = arg;
    mbox_write(&x->writer, &x->output.buffer, piece);
    return output_write(&x->output, NULL, 0, e);
}

/* Who sent it, as the From line has it: the envelope's sender, if the message tells. */
static struct str sender_of(struct body *body)
{
    struct str header = str_head(buf_str(&body->memory), 65536), value;
    if (body->fd >= 0 || !header_find(header, STR("Return-Path"), &value))
        return STR("");
    value = str_trim(value);
    if (value.n < 3 || value.p[0] != '<' || value.p[value.n - 1] != '>')
        return STR("");
    value = str_head(str_skip(value, 1), value.n - 2);
    return str_find_char(value, ' ') < 0 && str_find_char(value, '\n') < 0 ? value : STR("");
}

static bool write_mbox(struct exporting *x, const json_t *message, struct body *body, struct err *e)
{
    x->writer = (struct mbox_writer){.sender = sender_of(body),
                                     .date = number_of(message, "date"),
                                     .flags = flags_from_text(text_of(message, "flags")),
                                     .keywords = str_from_c(text_of(message, "keywords"))};
    mbox_write_begin(&x->writer);
    bool ok = body_each(body, format_piece, x, e);
    mbox_write_end(&x->writer, &x->output.buffer);
    return ok && output_write(&x->output, NULL, 0, e);
}

/* --- what comes from the server --- */

static bool end_mailbox(struct exporting *x, bool ok, struct err *e)
{
    bool in_mailbox = x->in_mailbox;
    x->in_mailbox = false;
    if (in_mailbox && x->mbox)
        return output_close(&x->output, ok, e);
    if (in_mailbox && ok)
        return end_maildir(x, e);
    maildir_end(&x->form);
    return ok;
}

static bool take_mailbox(void *arg, const json_t *mailbox, struct err *e)
{
    struct exporting *x = arg;
    if (!end_mailbox(x, true, e))
        return false;
    buf_clear(&x->directory);
    buf_add_str(&x->directory, buf_str(&x->user));
    x->in_mailbox = true;
    if (x->mbox ? begin_mbox(x, mailbox, e) : begin_maildir(x, mailbox, e))
        return true;
    x->in_mailbox = false;
    return false;
}

static bool take_message(void *arg, const json_t *message, struct body *body, struct err *e)
{
    struct exporting *x = arg;
    return x->mbox ? write_mbox(x, message, body, e) : write_maildir(x, message, body, e);
}

static bool export_user(struct exporting *x, const char *login, json_t *patterns,
                        struct get_counts *counts, struct err *e)
{
    struct message_taker taker = {.mailbox = take_mailbox, .message = take_message, .arg = x};
    buf_clear(&x->user);
    if (x->root)
        buf_add_c(&x->user, x->root);
    if (x->users) {
        buf_add_char(&x->user, '/');
        archive_add_user(&x->user, login);
    }
    bool ok = messages_get(x->m, json_pack("{s:s, s:O}", "user", login, "mailboxes", patterns),
                           &taker, counts, e);
    return end_mailbox(x, ok, e);
}

/* --- all of it --- */

static bool see_entry(void *arg, const char *name, unsigned char type)
{
    (void)name;
    (void)type;
    *(bool *)arg = true;
    return false;
}

static bool make_root(struct exporting *x, const char *target, struct err *e)
{
    struct buf b = BUF_EMPTY;
    struct err error;
    bool any = false;
    if (strcmp(target, "-") == 0)
        return x->mbox ||
               err_set(e, ERR_SYNTAX, "a Maildir is a directory; for standard output say --mbox");
    if (!disk_list(target, see_entry, &any, &error) && error.kind != ERR_NOT_FOUND) {
        *e = error;
        return false;
    }
    if (any)
        return err_set(e, ERR_EXISTS, "%s: there is something in it already", target);
    while (target[0] && target[strlen(target) - 1] == '/')
        target = arena_c(x->m->arena, str_from(target, strlen(target) - 1));
    buf_printf(&b, "%s.XXXXXX", target);
    buf_c(&b);
    x->root = mkdtemp(b.p);
    if (x->root)
        return true;
    err_set_errno(e, errno, "%s", target);
    buf_free(&b);
    return false;
}

static bool put_in_place(struct exporting *x, const char *target, struct err *e)
{
    return !x->root || (disk_sync_filesystem(x->root, e) && disk_rename(x->root, target, e) &&
                        disk_sync_filesystem(target, e));
}

static bool export_users(struct exporting *x, const json_t *logins, json_t *patterns,
                         struct get_counts *counts, struct err *e)
{
    size_t i;
    json_t *login;
    json_array_foreach(logins, i, login)
    {
        struct err error;
        if (export_user(x, json_string_value(login), patterns, counts, &error))
            continue;
        *e = error;
        /* Of all users some may not have the mailbox. */
        if (!x->users || error.kind != ERR_NOT_FOUND)
            return false;
    }
    return true;
}

static int report(struct mailctl *m, const struct exporting *x, const struct get_counts *counts)
{
    char messages[COUNT_TEXT], mailboxes[COUNT_TEXT];
    if (m->json) {
        json_t *json =
            json_pack("{s:I, s:I, s:I}", "mailboxes", (json_int_t)counts->mailboxes, "messages",
                      (json_int_t)counts->messages, "failed", (json_int_t)counts->failed);
        print_json_beside(json, x->root != NULL);
        json_decref(json);
    } else {
        fprintf(x->root ? stdout : stderr, "exported %s of %s\n",
                count_of(messages, (int64_t)counts->messages, "message"),
                count_of(mailboxes, (int64_t)counts->mailboxes, "mailbox"));
    }
    return counts->failed > 0 ? EXIT_FAILED : EXIT_OK;
}

int command_export(struct mailctl *m, const struct arguments *a)
{
    bool all = option(a, "--all") != NULL;
    struct exporting x = {.m = m, .mbox = option(a, "--mbox") != NULL, .users = all};
    struct get_counts counts = {0};
    struct err e = {0};
    if (a->count < (all ? 1u : 2u))
        return fail_usage("usage: mailctl export USER|--all TARGET [MAILBOX...]");
    const char *target = a->words[!all];
    json_t *patterns = json_array();
    for (size_t i = 2 - all; i < a->count; i++)
        json_array_append_new(patterns, json_string(a->words[i]));
    interrupt_catch();
    json_t *logins = logins_of(m, all ? NULL : a->words[0], &e);
    bool ok = logins && make_root(&x, target, &e) &&
              export_users(&x, logins, patterns, &counts, &e) && put_in_place(&x, target, &e);
    if (!ok && x.root)
        disk_remove_tree(x.root, NULL);
    int status = ok ? report(m, &x, &counts) : fail_error(&e);
    json_decref(logins);
    json_decref(patterns);
    free(x.root);
    buf_free(&x.user);
    buf_free(&x.directory);
    buf_free(&x.path);
    return status;
}
