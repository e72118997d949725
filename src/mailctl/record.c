/*
 * directory export and import: files on this side, records on the server's. A file is read and
 * understood as a whole before anything of it is sent; the server changes all or nothing.
 */
#include "core/disk.h"
#include "ctl/ctl_record.h"
#include "ctl/limits.h"
#include "mailctl/aliases.h"
#include "mailctl/clean_text.h"
#include "mailctl/mailctl.h"
#include "mailctl/output.h"
#include "mailctl/record_format.h"

#include <stdio.h>
#include <stdlib.h>

/* --kind; false: it is wrong, which was said. */
static bool take_kinds(const struct arguments *a, unsigned *kinds)
{
    struct err e;
    if (ctl_record_kinds_parse(str_from_c(option(a, "--kind")), kinds, &e))
        return true;
    fail_usage("--kind: %s", e.text);
    return false;
}

/* --- export --- */

struct writing {
    const struct record_format *format;
    struct output output;
    bool ok;
    struct err error;
};

static void write_buf(struct writing *w, struct buf *b)
{
    w->ok = w->ok && output_write(&w->output, buf_str(b).p, b->n, &w->error);
    if (b->n > 0)
        explicit_bzero(b->p, b->n);
    buf_free(b);
}

static void write_record(void *arg, const json_t *record)
{
    struct writing *w = arg;
    struct buf b = BUF_EMPTY;
    w->format->add(&b, record);
    write_buf(w, &b);
}

static void begin_file(struct writing *w)
{
    struct buf b = BUF_EMPTY;
    w->format->begin(&b);
    write_buf(w, &b);
}

int command_directory_export(struct mailctl *m, const struct arguments *a)
{
    const char *file = option(a, "--output") ? option(a, "--output") : "-";
    bool to_file = strcmp(file, "-") != 0;
    struct writing w = {.format = record_format_find(option(a, "--format"), file), .ok = true};
    unsigned kinds;
    if (!w.format || !w.format->add)
        return fail_usage("--format is %s", record_format_names(true));
    if (m->json && to_file)
        return fail_usage("--json is for standard output; a file has --format json");
    if (!take_kinds(a, &kinds))
        return EXIT_USAGE;
    if (!output_open(&w.output, file, &w.error))
        return fail_error(&w.error);
    if (!m->json)
        begin_file(&w);
    int status = ask_items(m, "directory export",
                           args_of("domain", argument(a, 0), "kinds", option(a, "--kind")),
                           write_record, &w, NULL);
    bool there = output_close(&w.output, w.ok && status == EXIT_OK, &w.error);
    if (status == EXIT_OK && !there)
        return fail_error(&w.error);
    if (status == EXIT_OK && to_file)
        printf("%s holds password hashes and private keys: only you may read it\n", file);
    return status;
}

/* --- import: the file --- */

static bool read_input(const char *path, struct buf *text, struct err *e)
{
    char piece[65536];
    size_t n;
    if (strcmp(path, "-") != 0)
        return disk_read_file(path, RECORD_FILE_MAX, text, e);
    while ((n = fread(piece, 1, sizeof(piece), stdin)) > 0) {
        buf_add(text, piece, n);
        if (text->n > RECORD_FILE_MAX)
            return err_set(e, ERR_LIMIT, "standard input: more than %zu bytes", RECORD_FILE_MAX);
    }
    return true;
}

static bool read_records(struct mailctl *m, const struct record_format *format, const char *path,
                         const char *domain, struct record_file *file, struct err *e)
{
    struct buf text = BUF_EMPTY;
    bool ok = read_input(path, &text, e);
    if (ok && !format->read(buf_str(&text), str_from_c(domain), m->arena, file, e)) {
        err_prefix(e, "%s", path);
        ok = false;
    }
    if (text.n > 0)
        explicit_bzero(text.p, text.n);
    buf_free(&text);
    return ok;
}

/* Only those of these kinds. */
static void keep_kinds(struct record_file *file, unsigned kinds)
{
    json_t *kept = json_array(), *record;
    size_t i;
    json_array_foreach(file->records, i, record)
    {
        const char *type = json_string_value(json_object_get(record, "type"));
        enum record_kind kind = RECORD_USER;
        /* What is no kind goes to the server, which says so. */
        if ((type && !ctl_record_kind_parse(str_from_c(type), &kind, NULL)) || kinds & 1U << kind)
            json_array_append(kept, record);
    }
    json_decref(file->records);
    file->records = kept;
}

/* --- import: what is told --- */

/* Text from outside, in one line. */
static void print_text(FILE *to, const char *text)
{
    clean_text_print(to, str_from_c(text), "");
}

static void print_problems(const char *path, const struct record_file *file)
{
    for (size_t i = 0; i < file->problem_count; i++) {
        const struct alias_problem *p = &file->problems[i];
        fprintf(stderr, "%s:%lld: ", path, (long long)p->line);
        struct buf text = BUF_EMPTY;
        buf_add_str(&text, p->text);
        print_text(stderr, buf_c(&text));
        fputc('\n', stderr);
        buf_free(&text);
    }
}

static json_t *problems_json(const struct record_file *file)
{
    json_t *list = json_array();
    for (size_t i = 0; i < file->problem_count; i++)
        json_array_append_new(
            list,
            json_pack("{s:I, s:o}", "line", (json_int_t)file->problems[i].line, "text",
                      json_stringn_nocheck(file->problems[i].text.p, file->problems[i].text.n)));
    return list;
}

static void print_value(const json_t *value)
{
    const json_t *item;
    size_t i;
    json_array_foreach(value, i, item)
    {
        fputs(i > 0 ? ", " : "", stdout);
        print_text(stdout, json_string_value(item));
    }
    if (json_is_string(value))
        print_text(stdout, json_string_value(value));
    else if (!json_is_array(value))
        fputs("none", stdout);
}

static void print_fields(const json_t *fields)
{
    const json_t *field;
    size_t i;
    json_array_foreach(fields, i, field)
    {
        printf("    %-15s ", text_of(field, "field"));
        print_value(json_object_get(field, "old"));
        fputs(" -> ", stdout);
        print_value(json_object_get(field, "new"));
        putchar('\n');
    }
}

static void print_change(const char *path, const json_t *item)
{
    const char *error = text_of(item, "error");
    FILE *to = *error ? stderr : stdout;
    fprintf(to, "%s:%lld: ", path, (long long)number_of(item, "line"));
    if (*error) {
        print_text(to, error);
    } else {
        printf("%s %s ", text_of(item, "change"), text_of(item, "type"));
        print_text(to, text_of(item, "address"));
    }
    fputc('\n', to);
    print_fields(json_object_get(item, "fields"));
}

static int report(struct mailctl *m, const json_t *result, bool dry_run,
                  const struct record_file *file)
{
    int64_t wrong = number_of(result, "wrong");
    if (!m->json && wrong == 0)
        printf("%s%lld added, %lld changed, %lld unchanged", dry_run ? "it would be: " : "",
               (long long)number_of(result, "added"), (long long)number_of(result, "changed"),
               (long long)number_of(result, "unchanged"));
    if (!m->json && wrong == 0 && file->passed > 0)
        printf("; %zu entries that are no users, groups or addresses", file->passed);
    if (!m->json && wrong == 0 && file->unsupported > 0)
        printf("; %zu destinations left out", file->unsupported);
    if (!m->json && wrong == 0)
        putchar('\n');
    return wrong == 0 ? EXIT_OK : fail("%lld wrong, so nothing was changed", (long long)wrong);
}

/* --- import: asking --- */

struct importing {
    struct mailctl *mailctl;
    const char *path;
    bool dry_run;
    struct record_file file;
};

static bool send_records(struct client *c, const struct importing *x, struct err *e)
{
    json_t *record, *args = json_pack("{s:b}", "dry_run", (int)x->dry_run);
    size_t i;
    if (!client_begin(c, "directory import", args, e))
        return false;
    json_array_foreach(x->file.records, i, record)
    {
        if (!client_send(c, json_incref(record), STR(""), false, e))
            return client_take_refusal(c, e);
    }
    return client_send_end(c, e) || client_take_refusal(c, e);
}

/* The changes are told one by one of a dry run only. */
static int take_answer(struct client *c, const struct importing *x, struct err *e)
{
    struct mailctl *m = x->mailctl;
    json_t *json = NULL, *items = json_array();
    enum client_got got;
    int status = EXIT_FAILED;
    while ((got = client_next(c, &json, e)) == CLIENT_ITEM) {
        if (m->json)
            json_array_append(items, json);
        else if (x->dry_run || *text_of(json, "error"))
            print_change(x->path, json);
        json_decref(json);
        json = NULL;
    }
    if (got == CLIENT_DONE) {
        status = report(m, json, x->dry_run, &x->file);
        json_object_set(json, "records", items);
        if (x->file.problem_count > 0)
            json_object_set_new(json, "left_out", problems_json(&x->file));
        if (m->json)
            print_json(json);
    }
    json_decref(json);
    json_decref(items);
    return got == CLIENT_DONE ? status : fail_error(e);
}

static int import(struct importing *x)
{
    struct err e = {0};
    int status;
    struct client *c = client_open(x->mailctl, &e);
    if (c && send_records(c, x, &e))
        status = take_answer(c, x, &e);
    else
        status = fail_error(&e);
    progress_clear(x->mailctl);
    if (c)
        client_close(c);
    return status;
}

/* What maild has no counterpart for may be left out, what is malformed may not. */
static int check_problems(struct importing *x, bool skip)
{
    const struct record_file *f = &x->file;
    if (f->problem_count == 0)
        return EXIT_OK;
    if (!x->mailctl->json || !skip)
        print_problems(x->path, f);
    if (f->problem_count > f->unsupported)
        return fail("%zu wrong, so nothing was changed", f->problem_count - f->unsupported);
    return skip ? EXIT_OK
                : fail("%zu destinations that maild has nothing for, so nothing was changed; "
                       "--skip-unsupported takes the rest",
                       f->unsupported);
}

int command_directory_import(struct mailctl *m, const struct arguments *a)
{
    struct importing x = {
        .mailctl = m, .path = a->words[0], .dry_run = option(a, "--dry-run") != NULL};
    const struct record_format *format = record_format_find(option(a, "--format"), x.path);
    const char *domain = option(a, "--domain");
    struct err e = {0};
    unsigned kinds;
    if (!format)
        return fail_usage("--format is %s", record_format_names(false));
    bool only_read = !format->add; /* aliases, whose names have no domain */
    if (only_read != (domain != NULL) || (!only_read && option(a, "--skip-unsupported")))
        return fail_usage(only_read ? "--domain is needed: names in a file of aliases have none"
                                    : "--domain and --skip-unsupported are for --format aliases");
    if (!take_kinds(a, &kinds))
        return EXIT_USAGE;
    if (!read_records(m, format, x.path, domain, &x.file, &e))
        return fail_error(&e);
    keep_kinds(&x.file, kinds);
    int status = check_problems(&x, option(a, "--skip-unsupported") != NULL);
    if (status == EXIT_OK)
        status = import(&x);
    json_decref(x.file.records);
    return status;
}
