/*
 * fetch: short fields as a table; with the header, the body or the whole text, one message after
 * the other, each field on a line of its own. A single such field is printed as nothing but its
 * bytes, so that they can be piped. On a terminal control characters of strangers' messages become
 * '?'.
 */
#include "core/mem.h"
#include "mailctl/clean_text.h"
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fetching {
    struct mailctl *m;
    struct client *client;
    const char **names; /* the fields; NULL at the end */
    const char **titles;
    size_t count, bytes_count; /* fields; those that come as bytes */
    struct table *table;       /* NULL: message by message */
    uint64_t messages;
    bool terminal, failed;
    struct buf text; /* --json: of a field */
    json_t *message; /* --json: to be printed when it is whole */
};

static bool is_bytes(const char *name)
{
    return strcasecmp(name, "hdr") == 0 || strcasecmp(name, "body") == 0 ||
           strcasecmp(name, "text") == 0;
}

static bool is_number(const char *name)
{
    return strcasecmp(name, "uid") == 0 || strncasecmp(name, "size", 4) == 0;
}

/* "uid flags, hdr.subject" */
static json_t *take_fields(struct fetching *f, const char *text)
{
    json_t *list = json_array();
    struct arena *a = f->m->arena;
    size_t most = strlen(text) + 1;
    char *spaced = arena_c(a, str_from_c(text));
    for (char *c = spaced; *c; c++)
        if (*c == ',')
            *c = ' ';
    struct str rest = str_from_c(spaced), word;
    f->names = arena_array(a, most, sizeof(*f->names));
    f->titles = arena_array(a, most, sizeof(*f->titles));
    while ((word = str_word(&rest)).p) {
        const char *name = arena_c(a, word);
        f->titles[f->count] = is_number(name) ? arena_printf(a, ">%s", name).p : name;
        f->names[f->count++] = name;
        f->bytes_count += is_bytes(name);
        json_array_append_new(list, json_string(name));
    }
    return list;
}

/* --- short fields --- */

static void add_value(struct buf *b, const char *name, const json_t *value)
{
    if (strncasecmp(name, "date.", 5) == 0 && json_is_integer(value))
        add_time(b, json_integer_value(value));
    else if (json_is_integer(value))
        buf_printf(b, "%lld", (long long)json_integer_value(value));
    else if (json_is_string(value))
        buf_add_c(b, json_string_value(value));
}

static void add_row(struct fetching *f, const json_t *values)
{
    struct buf b = BUF_EMPTY;
    for (size_t i = 0; i < f->count; i++) {
        buf_clear(&b);
        add_value(&b, f->names[i], json_object_get(values, f->names[i]));
        table_add(f->table, buf_c(&b));
    }
    buf_free(&b);
}

/* --- message by message --- */

/* What is left of *cut and the piece is in *cut. */
static void print_piece(const struct fetching *f, struct buf *cut, struct str piece)
{
    if (!f->terminal) {
        fwrite(piece.p, 1, piece.n, stdout);
        return;
    }
    buf_add_str(cut, piece);
    size_t whole = piece.n > 0 ? clean_text_whole(buf_str(cut)) : cut->n;
    clean_text_print(stdout, str_head(buf_str(cut), whole), "\n\t");
    buf_consume(cut, whole);
}

static bool is_raw(const struct fetching *f)
{
    return f->count == 1 && f->bytes_count == 1;
}

static void print_values(struct fetching *f, const json_t *values)
{
    struct buf b = BUF_EMPTY;
    if (is_raw(f))
        return;
    printf("%s", f->messages > 1 ? "\f\n" : "");
    for (size_t i = 0; i < f->count; i++) {
        if (is_bytes(f->names[i]))
            continue;
        buf_clear(&b);
        add_value(&b, f->names[i], json_object_get(values, f->names[i]));
        printf("%s: ", f->names[i]);
        if (f->terminal)
            clean_text_print(stdout, buf_str(&b), "\n\t");
        else
            fputs(buf_c(&b), stdout);
        putchar('\n');
    }
    buf_free(&b);
}

static bool print_field(struct fetching *f, const char *name, struct err *e)
{
    struct str piece;
    struct buf cut = BUF_EMPTY;
    char last = '\n';
    bool ok;
    if (!is_raw(f))
        printf("%s:\n", name);
    do {
        ok = client_bytes(f->client, &piece, e);
        if (!ok)
            break;
        print_piece(f, &cut, piece);
        if (piece.n > 0)
            last = piece.p[piece.n - 1];
    } while (piece.n > 0);
    buf_free(&cut);
    if (ok && last != '\n' && !is_raw(f))
        putchar('\n');
    return ok;
}

/* --- JSON: an array, printed as it comes --- */

static void flush_message(struct fetching *f)
{
    if (!f->message)
        return;
    printf("%s", f->messages > 1 ? ",\n" : "[\n");
    json_dumpf(f->message, stdout, JSON_INDENT(2));
    json_decref(f->message);
    f->message = NULL;
}

/* What is no UTF-8 becomes '?'. */
static json_t *text_json(const struct buf *b)
{
    json_t *json = json_stringn(buf_str(b).p, b->n);
    if (json)
        return json;
    char *copy = mem_dup(buf_str(b).p, b->n);
    for (size_t i = 0; i < b->n; i++)
        if (copy[i] & 0x80)
            copy[i] = '?';
    json = json_stringn(copy, b->n);
    free(copy);
    return json;
}

static bool add_json_field(struct fetching *f, const char *name, struct err *e)
{
    struct str piece;
    buf_clear(&f->text);
    do {
        if (!client_bytes(f->client, &piece, e))
            return false;
        buf_add_str(&f->text, piece);
    } while (piece.n > 0);
    json_object_set_new(f->message, name, text_json(&f->text));
    return true;
}

/* --- all of it --- */

static bool take_item(struct fetching *f, const json_t *item, struct err *e)
{
    json_t *values = json_object_get(item, "message");
    const char *name = text_of(item, "field");
    if (name[0])
        return f->m->json ? add_json_field(f, name, e) : print_field(f, name, e);
    if (!values) {
        f->failed |= print_failure(item);
        return true;
    }
    if (f->m->json)
        flush_message(f);
    f->messages++;
    if (f->m->json)
        f->message = json_incref(values);
    else if (f->table)
        add_row(f, values);
    else
        print_values(f, values);
    return true;
}

static bool run(struct fetching *f, json_t *args, struct err *e)
{
    json_t *json;
    enum client_got got;
    f->client = client_open(f->m, e);
    if (!f->client) {
        json_decref(args);
        return false;
    }
    bool ok = client_begin(f->client, "fetch", args, e);
    while (ok && (got = client_next(f->client, &json, e)) != CLIENT_DONE) {
        ok = got == CLIENT_ITEM && take_item(f, json, e);
        json_decref(json);
    }
    if (ok)
        json_decref(json);
    client_close(f->client);
    return ok;
}

int command_fetch(struct mailctl *m, const struct arguments *a)
{
    struct fetching f = {.m = m, .terminal = isatty(STDOUT_FILENO)};
    struct err e = {0};
    size_t next;
    json_t *args = query_args(a, 1, &next);
    if (!args)
        return EXIT_USAGE;
    json_object_set_new(args, "fields", take_fields(&f, a->words[next]));
    if (f.bytes_count == 0 && !m->json)
        f.table = table_new(f.titles);
    bool ok = run(&f, args, &e);
    if (m->json && ok) {
        flush_message(&f);
        printf("%s]\n", f.messages ? "\n" : "[");
        json_told();
    }
    json_decref(f.message);
    if (f.table)
        table_end(f.table, ok, f.failed ? NULL : "no message is like that");
    buf_free(&f.text);
    if (!ok)
        return fail_error(&e);
    return f.failed ? EXIT_FAILED : EXIT_OK;
}
