/*
 * directory export and import: files on this side, records on the server's. A file is read and
 * understood as a whole before anything of it is sent; the server changes all or nothing.
 */
#include "core/disk.h"
#include "ctl/csv_record.h"
#include "ctl/ldif_record.h"
#include "ctl/mailctl.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX ((size_t)512 * 1024 * 1024)

enum format { FORMAT_NONE, FORMAT_CSV, FORMAT_LDIF };

/* By the option, else by the end of the file's name. */
static enum format format_of(const struct arguments *a, const char *file)
{
    const char *name = option(a, "--format");
    struct str path = str_from_c(file);
    if (name)
        return strcmp(name, "csv") == 0    ? FORMAT_CSV
               : strcmp(name, "ldif") == 0 ? FORMAT_LDIF
                                           : FORMAT_NONE;
    return str_ends_with_nocase(path, STR(".ldif")) || str_ends_with_nocase(path, STR(".ldf"))
               ? FORMAT_LDIF
               : FORMAT_CSV;
}

/* --- export --- */

struct writing {
    enum format format;
    bool failed;
};

static void write_buf(struct writing *w, struct buf *b)
{
    w->failed |= b->n > 0 && fwrite(b->p, 1, b->n, stdout) != b->n;
    explicit_bzero(b->p, b->n);
    buf_free(b);
}

static void write_record(void *arg, const json_t *record)
{
    struct writing *w = arg;
    struct buf b = BUF_EMPTY;
    if (w->format == FORMAT_LDIF)
        ldif_add_record(&b, record);
    else
        csv_add_record(&b, record);
    write_buf(w, &b);
}

int command_directory_export(struct mailctl *m, const struct arguments *a)
{
    struct writing w = {.format = format_of(a, "")};
    if (w.format == FORMAT_NONE)
        return fail_usage("--format is csv or ldif");
    if (w.format == FORMAT_CSV && !m->json) {
        struct buf b = BUF_EMPTY;
        csv_add_header(&b);
        write_buf(&w, &b);
    } else if (!m->json) {
        fputs("version: 1\n\n", stdout);
    }
    int status = ask_items(m, "directory export", args_of("domain", argument(a, 0), NULL, NULL),
                           write_record, &w, NULL);
    if (fflush(stdout) != 0 || w.failed)
        return fail("the export cannot be written");
    return status;
}

/* --- import --- */

static bool read_file(const char *path, struct buf *text, struct err *e)
{
    char piece[65536];
    size_t n;
    if (strcmp(path, "-") != 0)
        return disk_read_file(path, FILE_MAX, text, e);
    while ((n = fread(piece, 1, sizeof(piece), stdin)) > 0) {
        buf_add(text, piece, n);
        if (text->n > FILE_MAX)
            return err_set(e, ERR_LIMIT, "standard input: more than %zu bytes", FILE_MAX);
    }
    return true;
}

static json_t *read_records(const struct arguments *a, size_t *passed, struct err *e)
{
    const char *path = a->words[0];
    struct buf text = BUF_EMPTY;
    json_t *records = NULL;
    *passed = 0;
    if (read_file(path, &text, e)) {
        records = format_of(a, path) == FORMAT_LDIF ? ldif_to_records(buf_str(&text), passed, e)
                                                    : csv_to_records(buf_str(&text), e);
        if (!records)
            err_prefix(e, "%s", path);
    }
    if (text.n > 0)
        explicit_bzero(text.p, text.n);
    buf_free(&text);
    return records;
}

static bool send_records(struct client *c, const json_t *records, bool dry_run, struct err *e)
{
    json_t *record, *args = json_pack("{s:b}", "dry_run", (int)dry_run);
    size_t i;
    if (!client_begin(c, "directory import", args, e))
        return false;
    json_array_foreach(records, i, record) if (!client_send(c, json_incref(record), STR(""), false,
                                                            e)) return client_take_refusal(c, e);
    return client_send_end(c, e) || client_take_refusal(c, e);
}

static void print_change(const char *file, const json_t *item)
{
    const char *change = text_of(item, "change");
    if (*text_of(item, "error"))
        fprintf(stderr, "%s:%lld: %s\n", file, (long long)number_of(item, "line"),
                text_of(item, "error"));
    else
        printf("%s:%lld: %s %s %s\n", file, (long long)number_of(item, "line"), change,
               text_of(item, "type"), text_of(item, "address"));
}

static int report(struct mailctl *m, const json_t *result, bool dry_run, size_t passed)
{
    int64_t wrong = number_of(result, "wrong");
    if (!m->json && wrong == 0)
        printf("%s%lld added, %lld changed, %lld unchanged", dry_run ? "it would be: " : "",
               (long long)number_of(result, "added"), (long long)number_of(result, "changed"),
               (long long)number_of(result, "unchanged"));
    if (!m->json && wrong == 0 && passed > 0)
        printf("; %zu entries that are no users, groups or addresses", passed);
    if (!m->json && wrong == 0)
        putchar('\n');
    return wrong == 0 ? EXIT_OK : fail("%lld wrong, so nothing was changed", (long long)wrong);
}

/* The changes are told one by one of a dry run only. */
static int take_answer(struct mailctl *m, struct client *c, const char *file, bool dry_run,
                       size_t passed, struct err *e)
{
    json_t *json = NULL, *items = json_array();
    enum client_got got;
    int status = EXIT_FAILED;
    while ((got = client_next(c, &json, e)) == CLIENT_ITEM) {
        if (m->json)
            json_array_append(items, json);
        else if (dry_run || *text_of(json, "error"))
            print_change(file, json);
        json_decref(json);
        json = NULL;
    }
    if (got == CLIENT_DONE) {
        status = report(m, json, dry_run, passed);
        json_object_set(json, "records", items);
        if (m->json)
            print_json(json);
    }
    json_decref(json);
    json_decref(items);
    return got == CLIENT_DONE ? status : fail("%s", e->text);
}

int command_directory_import(struct mailctl *m, const struct arguments *a)
{
    struct err e = {0};
    size_t passed;
    bool dry_run = option(a, "--dry-run") != NULL;
    if (format_of(a, a->words[0]) == FORMAT_NONE)
        return fail_usage("--format is csv or ldif");
    json_t *records = read_records(a, &passed, &e);
    if (!records)
        return fail("%s", e.text);
    struct client *c = client_open(m, &e);
    int status = EXIT_FAILED;
    if (c && send_records(c, records, dry_run, &e))
        status = take_answer(m, c, a->words[0], dry_run, passed, &e);
    else
        fail("%s", e.text);
    progress_clear(m);
    if (c)
        client_close(c);
    json_decref(records);
    return status;
}
