/*
 * The structure of a message as mime/message.c sees it, reduced to what can be counted in a stream:
 * a stack of open multiparts with their boundaries, pushed by the Content-Type of a header and
 * popped by boundary lines. A message that is not multipart costs nothing after its header; of
 * others, lines that do not begin with a hyphen are passed over with memchr.
 *
 * Where the two see a difference (a Content-Type of more than FIELD_MAX bytes, a message that is
 * encoded as a whole) the limits of the parser still hold.
 */
#include "smtp/part_counter.h"

#include "core/mem.h"
#include "mime/limits.h"
#include "mime/message.h"

#include <stdio.h>
#include <stdlib.h>

/* Of a line and of a Content-Type that are looked at; RFC 2046 5.1.1: boundaries have at most 70.
 */
#define LINE_MAX_KEPT ((size_t)2000)
#define FIELD_MAX     ((size_t)16 * 1024)

void part_counter_init(struct part_counter *c)
{
    *c = (struct part_counter){.in_header = true};
}

static void pop(struct part_counter *c)
{
    free(c->levels[--c->depth].boundary);
}

void part_counter_free(struct part_counter *c)
{
    while (c->depth > 0)
        pop(c);
    free(c->levels);
    buf_free(&c->line);
    buf_free(&c->field);
}

static void give_up(struct part_counter *c, const char *what, int max)
{
    snprintf(c->reason, sizeof(c->reason), "The message has more than %d %s", max, what);
    c->off = true;
}

static void push(struct part_counter *c, struct str boundary, bool digest)
{
    if (c->depth >= MIME_DEPTH_MAX) {
        give_up(c, "levels of nested parts", MIME_DEPTH_MAX);
        return;
    }
    c->levels = mem_grow(c->levels, c->depth, &c->capacity, sizeof(*c->levels), 4);
    c->levels[c->depth++] = (struct part_level){
        .boundary = boundary.p ? mem_dup(boundary.p, boundary.n) : NULL,
        .n = boundary.n,
        .digest = digest,
    };
}

/* --- headers --- */

static bool is_content_type(struct str line)
{
    static const struct str name = {"Content-Type", 12};
    return str_starts_with_nocase(line, name) &&
           str_starts_with(str_trim(str_skip(line, name.n)), STR(":"));
}

static void header_line(struct part_counter *c, struct str line)
{
    bool folded = line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t');
    if (!folded)
        c->in_content_type = c->field.n == 0 && is_content_type(line);
    if (!c->in_content_type || c->field.n + line.n > FIELD_MAX)
        return;
    buf_add_str(&c->field, line);
    buf_add_char(&c->field, '\n');
}

/* The header is complete: what follows it? */
static void end_header(struct part_counter *c)
{
    bool in_digest = c->depth > 0 && c->levels[c->depth - 1].digest && c->field.n == 0;
    struct arena *a = arena_new();
    buf_add_char(&c->field, '\n');
    struct mime_part *part = mime_parse(a, buf_str(&c->field), &mime_limits_default, false);
    const struct mime_parameter *boundary =
        mime_parameter_find(part->parameters, part->parameter_count, STR("boundary"));
    bool message = str_equal_nocase(part->type, STR("message")) &&
                   (str_equal_nocase(part->subtype, STR("rfc822")) ||
                    str_equal_nocase(part->subtype, STR("global")));
    c->in_header = false;
    if (in_digest || message) {
        c->in_header = true;
        push(c, (struct str){NULL, 0}, false);
    } else if (str_equal_nocase(part->type, STR("multipart")) && boundary &&
               boundary->value.n > 0) {
        push(c, boundary->value, str_equal_nocase(part->subtype, STR("digest")));
    }
    buf_clear(&c->field);
    arena_free(a);
    c->off |= c->depth == 0;
}

/* --- boundaries --- */

/* The level whose boundary the line is; c->depth: none. */
static size_t find_boundary(const struct part_counter *c, struct str line)
{
    size_t best = c->depth;
    for (size_t i = c->depth; i-- > 0;) {
        const struct part_level *l = &c->levels[i];
        if (l->boundary && (best == c->depth || l->n > c->levels[best].n) &&
            str_starts_with(line, str_from(l->boundary, l->n)))
            best = i;
    }
    return best;
}

static bool take_boundary(struct part_counter *c, struct str line)
{
    if (!str_starts_with(line, STR("--")))
        return false;
    line = str_skip(line, 2);
    size_t found = find_boundary(c, line);
    if (found == c->depth)
        return false;
    bool closes = str_starts_with(str_skip(line, c->levels[found].n), STR("--"));
    while (c->depth > found + !closes)
        pop(c);
    buf_clear(&c->field);
    c->in_header = !closes;
    c->off = c->depth == 0;
    if (!closes && ++c->parts > MIME_PARTS_MAX)
        give_up(c, "parts", MIME_PARTS_MAX);
    return true;
}

/* --- lines --- */

static void take_line(struct part_counter *c, struct str line)
{
    if (take_boundary(c, line) || !c->in_header)
        return;
    if (line.n == 0)
        end_header(c);
    else
        header_line(c, line);
}

bool part_counter_feed(struct part_counter *c, struct str bytes)
{
    while (bytes.n > 0 && !c->off) {
        const char *newline = memchr(bytes.p, '\n', bytes.n);
        size_t n = newline ? (size_t)(newline - bytes.p) : bytes.n;
        if (c->line.n == 0 && !c->in_header && n > 0 && bytes.p[0] != '-')
            c->skipping = true;
        struct str seen = str_head(str_from(bytes.p, n), LINE_MAX_KEPT - c->line.n);
        bool whole = newline && c->line.n == 0;
        if (!c->skipping && !whole) {
            buf_add_str(&c->line, seen);
            seen = buf_str(&c->line);
        }
        if (newline && !c->skipping)
            take_line(c, seen);
        if (newline) {
            buf_clear(&c->line);
            c->skipping = false;
        }
        bytes = str_skip(bytes, newline ? n + 1 : n);
    }
    return c->reason[0] == '\0';
}
