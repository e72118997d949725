/*
 * Tables for people: columns as wide as their widest cell, counted in characters of UTF-8. Text
 * from outside (addresses, error texts of other servers) loses its control characters, so that it
 * cannot play tricks on the terminal.
 */
#include "core/mem.h"
#include "mailctl/clean_text.h"
#include "mailctl/mailctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct cell {
    char *text;
    enum shade shade;
};

struct table {
    const char *const *titles;
    size_t columns, count, room;
    struct cell *cells;
};

struct table *table_new(const char *const *titles)
{
    struct table *t = MEM_NEW(struct table);
    t->titles = titles;
    while (titles[t->columns])
        t->columns++;
    return t;
}

static char *printable(const char *text)
{
    struct buf b = BUF_EMPTY;
    clean_text_add(&b, str_from_c(text), "");
    buf_c(&b);
    return b.p; /* the caller's */
}

void table_add_shaded(struct table *t, enum shade shade, const char *text)
{
    t->cells = mem_grow(t->cells, t->count, &t->room, sizeof(*t->cells), 64);
    t->cells[t->count++] = (struct cell){printable(text), shade};
}

void table_add(struct table *t, const char *text)
{
    table_add_shaded(t, SHADE_NONE, text);
}

void table_printf(struct table *t, const char *format, ...)
{
    struct buf b = BUF_EMPTY;
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    table_add(t, buf_c(&b));
    buf_free(&b);
}

void add_duration(struct buf *b, int64_t seconds)
{
    if (seconds < 60)
        buf_printf(b, "%lld s", (long long)seconds);
    else if (seconds < 3600)
        buf_printf(b, "%lld min", (long long)(seconds / 60));
    else if (seconds < 86400)
        buf_printf(b, "%lld h %lld min", (long long)(seconds / 3600),
                   (long long)(seconds / 60 % 60));
    else
        buf_printf(b, "%lld d %lld h", (long long)(seconds / 86400),
                   (long long)(seconds / 3600 % 24));
}

void add_size(struct buf *b, int64_t bytes)
{
    static const char *const units[] = {"KB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;
    if (bytes < 1024) {
        buf_printf(b, "%lld B", (long long)bytes);
        return;
    }
    for (value /= 1024; value >= 1024 && unit < 3; unit++)
        value /= 1024;
    buf_printf(b, "%.1f %s", value, units[unit]);
}

const char *count_of(char text[COUNT_TEXT], int64_t n, const char *what)
{
    size_t length = strlen(what);
    bool es = length > 0 && what[length - 1] == 'x';
    snprintf(text, COUNT_TEXT, "%lld %s%s", (long long)n, what, n == 1 ? "" : es ? "es" : "s");
    return text;
}

void add_time(struct buf *b, int64_t seconds)
{
    char text[32];
    time_t t = (time_t)seconds;
    struct tm local;
    if (localtime_r(&t, &local) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local) > 0)
        buf_add_c(b, text);
}

static void add_with(struct table *t, void (*add)(struct buf *b, int64_t value), int64_t value)
{
    struct buf b = BUF_EMPTY;
    add(&b, value);
    table_add(t, buf_c(&b));
    buf_free(&b);
}

void table_add_duration(struct table *t, int64_t seconds)
{
    add_with(t, add_duration, seconds);
}

void table_add_size(struct table *t, int64_t bytes)
{
    add_with(t, add_size, bytes);
}

void table_add_time(struct table *t, int64_t seconds)
{
    add_with(t, add_time, seconds);
}

static void print_cell(const struct cell *cell, size_t width, bool right, bool last)
{
    int fill = (int)(width - str_count_characters(str_from_c(cell->text)));
    bool shaded = cell->shade != SHADE_NONE;
    printf("%*s%s%s%s%*s", right ? fill : 0, "", shaded ? shade_begin(cell->shade) : "", cell->text,
           shaded ? shade_end() : "", right || last ? 0 : fill, "");
    fputs(last ? "\n" : "  ", stdout);
}

static void table_free(struct table *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->cells[i].text);
    free(t->cells);
    free(t);
}

void table_end(struct table *t, bool print, const char *nothing)
{
    if (print && t->count > 0) {
        table_print(t);
        return;
    }
    if (print && nothing)
        puts(nothing);
    table_free(t);
}

const char *there_are_no(const struct mailctl *m, const char *what, const char *where)
{
    if (!where)
        return arena_printf(m->arena, "there are no %s", what).p;
    return arena_printf(m->arena, "there are no %s in %s", what, where).p;
}

void table_print(struct table *t)
{
    size_t *widths = mem_array(t->columns, sizeof(*widths));
    for (size_t c = 0; c < t->columns; c++)
        widths[c] = str_count_characters(str_from_c(t->titles[c] + (t->titles[c][0] == '>')));
    for (size_t i = 0; i < t->count; i++) {
        size_t width = str_count_characters(str_from_c(t->cells[i].text));
        if (width > widths[i % t->columns])
            widths[i % t->columns] = width;
    }
    for (size_t c = 0; c < t->columns; c++) {
        bool right = t->titles[c][0] == '>';
        struct cell title = {(char *)t->titles[c] + right, SHADE_BOLD};
        print_cell(&title, widths[c], right, c + 1 == t->columns);
    }
    for (size_t i = 0; i < t->count; i++) {
        size_t c = i % t->columns;
        print_cell(&t->cells[i], widths[c], t->titles[c][0] == '>', c + 1 == t->columns);
    }
    free(widths);
    table_free(t);
}

/* Of the process, as its standard output is: there is a document. */
static bool told;

void json_told(void)
{
    told = true;
}

bool is_json_told(void)
{
    return told;
}

void print_json(const json_t *json)
{
    told = true;
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    putchar('\n');
}

void print_json_beside(const json_t *json, bool is_free)
{
    told = true;
    json_dumpf(json, is_free ? stdout : stderr, is_free ? JSON_INDENT(2) : JSON_COMPACT);
    fputc('\n', is_free ? stdout : stderr);
}

void print_page(const struct mailctl *m, struct str text)
{
    if (!m->json) {
        fwrite(text.p, 1, text.n, stdout);
        return;
    }
    json_t *object = json_pack("{s:s%}", "text", text.p, text.n);
    print_json(object);
    json_decref(object);
}

const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

char *join_texts(const json_t *object, const char *name, const char *separator)
{
    struct buf b = BUF_EMPTY;
    json_t *item;
    size_t i;
    json_array_foreach(json_object_get(object, name), i, item)
    {
        buf_add_c(&b, i > 0 ? separator : "");
        buf_add_c(&b, json_string_value(item) ? json_string_value(item) : "");
    }
    buf_c(&b);
    return b.p;
}

int64_t number_of(const json_t *object, const char *name)
{
    return (int64_t)json_integer_value(json_object_get(object, name));
}

bool is_true(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

json_t *json_str(struct str s)
{
    json_t *json = json_stringn(s.p, s.n);
    return json ? json : json_string("?");
}

enum err_kind kind_by_name(const char *name)
{
    for (int kind = ERR_TEMP; kind <= ERR_TLS; kind++)
        if (strcmp(err_kind_name((enum err_kind)kind), name) == 0)
            return (enum err_kind)kind;
    return ERR_PERM;
}
