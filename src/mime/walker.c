/*
 * Lines are what counts (RFC 2046 5.1.1): a header is collected until its empty line; of a line in
 * a body only so much is held back as a boundary may be long, and the line end before it, which
 * belongs to the boundary if one follows. So a body passes through in the pieces in which it comes,
 * however long its lines are; binary data has none.
 *
 * A stack holds the boundaries of the multiparts that are open. Of several that match the longest
 * counts, of equal ones the innermost, as in message.c.
 */
#include "mime/walker.h"

#include "core/mem.h"
#include "mime/content.h"
#include "mime/limits.h"

#include <stdlib.h>

enum place {
    IN_HEADER,
    IN_BODY,     /* of a leaf */
    IN_TEXT,     /* preamble, epilogue */
    IN_BOUNDARY, /* the rest of its line */
    LOST,
};

struct open_multipart {
    struct buf boundary;
    unsigned depth; /* of the multipart itself */
    bool digest;
};

struct mime_walker {
    struct mime_walker_target target;
    struct arena *arena; /* of the present header */
    enum place place;
    struct buf header; /* IN_HEADER: collected */
    struct buf line;   /* start of a line that may be a boundary, or a line of the header */
    struct buf eol;    /* line end that may belong to a boundary; maybe only its CR */
    bool at_start;     /* of a line */
    struct open_multipart open[MIME_DEPTH_MAX + 1];
    unsigned open_count, depth, parts;
    bool in_digest, boundary_closes;
};

struct mime_walker *mime_walker_new(const struct mime_walker_target *target)
{
    struct mime_walker *w = MEM_NEW(struct mime_walker);
    w->target = *target;
    w->arena = arena_new();
    w->place = IN_HEADER;
    w->parts = 1;
    return w;
}

static void close_to(struct mime_walker *w, unsigned count)
{
    while (w->open_count > count)
        buf_free(&w->open[--w->open_count].boundary);
}

void mime_walker_free(struct mime_walker *w)
{
    close_to(w, 0);
    buf_free(&w->header);
    buf_free(&w->line);
    buf_free(&w->eol);
    arena_free(w->arena);
    free(w);
}

bool mime_walker_is_lost(const struct mime_walker *w)
{
    return w->place == LOST;
}

static void give(struct mime_walker *w, struct str bytes)
{
    if (bytes.n == 0)
        return;
    if (w->place == IN_BODY)
        w->target.body(w->target.arg, bytes);
    else
        w->target.text(w->target.arg, bytes);
}

static void give_held(struct mime_walker *w, struct buf *held)
{
    give(w, buf_str(held));
    buf_clear(held);
}

static void get_lost(struct mime_walker *w)
{
    if (w->place == IN_BODY)
        w->target.body_end(w->target.arg);
    w->place = LOST;
    give_held(w, &w->header);
    give_held(w, &w->eol);
    give_held(w, &w->line);
}

/* --- boundaries --- */

/* The open multipart whose boundary the line begins with, counted from 1; 0: none. */
static unsigned find_boundary(const struct mime_walker *w, struct str line)
{
    unsigned best = 0;
    if (!str_starts_with(line, STR("--")))
        return 0;
    line = str_skip(line, 2);
    for (unsigned i = w->open_count; i > 0; i--)
        if ((best == 0 || w->open[i - 1].boundary.n > w->open[best - 1].boundary.n) &&
            str_starts_with(line, buf_str(&w->open[i - 1].boundary)))
            best = i;
    return best;
}

/* How much of a line has to be seen: the longest boundary with its hyphens. */
static size_t boundary_room(const struct mime_walker *w)
{
    size_t most = 0;
    for (unsigned i = 0; i < w->open_count; i++)
        most = w->open[i].boundary.n > most ? w->open[i].boundary.n : most;
    return most + 4;
}

/* The line in w->line, whole or as much as matters, is the boundary of open[which - 1]. */
static void meet_boundary(struct mime_walker *w, unsigned which)
{
    struct open_multipart *o = &w->open[which - 1];
    struct str behind = str_skip(buf_str(&w->line), 2 + o->boundary.n);
    if (w->place == IN_BODY)
        w->target.body_end(w->target.arg);
    w->boundary_closes = str_starts_with(behind, STR("--"));
    w->depth = o->depth;
    close_to(w, which);
    w->place = IN_BOUNDARY;
    give_held(w, &w->eol);
    give_held(w, &w->line);
}

static void end_boundary_line(struct mime_walker *w)
{
    const struct open_multipart *o = &w->open[w->open_count - 1];
    w->at_start = true;
    if (w->boundary_closes) {
        close_to(w, w->open_count - 1);
        w->place = IN_TEXT;
    } else if (w->parts >= MIME_PARTS_MAX) {
        get_lost(w);
    } else {
        w->in_digest = o->digest;
        w->depth = o->depth + 1;
        w->parts++;
        w->place = IN_HEADER;
    }
}

/* --- headers --- */

static void open_multipart(struct mime_walker *w, const struct mime_part *part)
{
    const struct mime_parameter *boundary =
        mime_parameter_find(part->parameters, part->parameter_count, STR("boundary"));
    struct str value = boundary ? str_trim(boundary->value) : STR("");
    if (value.n == 0)
        return;
    struct open_multipart *o = &w->open[w->open_count++];
    *o = (struct open_multipart){.depth = w->depth,
                                 .digest = content_type_is(part, "multipart", "digest")};
    buf_add_str(&o->boundary, value);
}

static bool is_identity(struct str encoding)
{
    return !str_equal_nocase(encoding, STR("base64")) &&
           !str_equal_nocase(encoding, STR("quoted-printable"));
}

/* The header is complete. cut_off: a boundary follows instead of a body. */
static void end_header(struct mime_walker *w, bool cut_off)
{
    struct mime_part part = {.child_count = 0};
    struct content_reader reader = {w->arena, false, MIME_PARAMETERS_MAX};
    content_parse(&reader, &part, buf_str(&w->header), w->in_digest);
    bool multipart = content_type_is(&part, "multipart", NULL);
    bool message = (content_type_is(&part, "message", "rfc822") ||
                    content_type_is(&part, "message", "global")) &&
                   is_identity(part.encoding);
    unsigned depth = w->depth;
    if ((multipart || message) && depth >= MIME_DEPTH_MAX) {
        get_lost(w);
        arena_reset(w->arena);
        return;
    }
    w->place = multipart || message ? IN_TEXT : IN_BODY;
    w->at_start = true;
    w->in_digest = false;
    w->target.header(w->target.arg, buf_str(&w->header), &part, multipart || message, depth);
    buf_clear(&w->header);
    if (message && !cut_off) {
        w->place = IN_HEADER;
        w->depth++;
        w->parts++;
    } else if (multipart && !cut_off) {
        open_multipart(w, &part);
    }
    arena_reset(w->arena);
}

/* A line of the header is in w->line, whole. */
static void end_header_line(struct mime_walker *w)
{
    struct str line = buf_str(&w->line);
    unsigned which = find_boundary(w, line);
    if (which > 0) {
        end_header(w, true);
        if (w->place != LOST)
            meet_boundary(w, which);
        if (w->place == IN_BOUNDARY)
            end_boundary_line(w);
        return;
    }
    bool empty = str_equal(line, STR("\n")) || str_equal(line, STR("\r\n"));
    buf_add_str(&w->header, line);
    buf_clear(&w->line);
    if (empty)
        end_header(w, false);
}

static size_t feed_header(struct mime_walker *w, struct str bytes)
{
    ptrdiff_t newline = str_find_char(bytes, '\n');
    size_t n = newline < 0 ? bytes.n : (size_t)newline + 1;
    buf_add(&w->line, bytes.p, n);
    if (w->header.n + w->line.n > MIME_HEADER_MAX)
        get_lost(w);
    else if (newline >= 0)
        end_header_line(w);
    return n;
}

/* --- bodies --- */

/* At the start of a line: as much of it as is needed to know what it is. */
static size_t feed_line_start(struct mime_walker *w, struct str bytes)
{
    size_t room = boundary_room(w), n = 0;
    bool whole = false;
    while (n < bytes.n && w->line.n + n < room && !whole)
        whole = bytes.p[n++] == '\n';
    buf_add(&w->line, bytes.p, n);
    struct str line = buf_str(&w->line);
    bool possible = w->open_count > 0 && line.p[0] == '-' && (line.n < 2 || line.p[1] == '-');
    if (possible && !whole && line.n < room)
        return n;
    unsigned which = possible ? find_boundary(w, line) : 0;
    if (which > 0) {
        meet_boundary(w, which);
        if (whole)
            end_boundary_line(w);
        return n;
    }
    /* Not one: these bytes go the way of all others. */
    w->at_start = false;
    give_held(w, &w->eol);
    w->line.n -= n;
    if (w->line.n > 0 && w->line.p[w->line.n - 1] == '\r') {
        w->line.n--;
        buf_add_char(&w->eol, '\r');
    }
    give_held(w, &w->line);
    return 0;
}

/* In the middle of a line. A CR may be the first half of its end. */
static size_t feed_line(struct mime_walker *w, struct str bytes)
{
    if (w->eol.n > 0) {
        if (bytes.p[0] == '\n') {
            buf_add_char(&w->eol, '\n');
            w->at_start = true;
            return 1;
        }
        give_held(w, &w->eol);
    }
    ptrdiff_t newline = str_find_char(bytes, '\n');
    size_t n = newline < 0 ? bytes.n : (size_t)newline, content = n;
    if (content > 0 && bytes.p[content - 1] == '\r')
        content--;
    give(w, str_head(bytes, content));
    buf_add(&w->eol, bytes.p + content, n - content + (newline >= 0));
    w->at_start = newline >= 0;
    return n + (newline >= 0);
}

static size_t feed_boundary(struct mime_walker *w, struct str bytes)
{
    ptrdiff_t newline = str_find_char(bytes, '\n');
    size_t n = newline < 0 ? bytes.n : (size_t)newline + 1;
    give(w, str_head(bytes, n));
    if (newline >= 0)
        end_boundary_line(w);
    return n;
}

void mime_walker_feed(struct mime_walker *w, struct str bytes)
{
    while (bytes.n > 0) {
        size_t n = bytes.n;
        switch (w->place) {
        case IN_HEADER:
            n = feed_header(w, bytes);
            break;
        case IN_BODY:
        case IN_TEXT:
            n = w->at_start ? feed_line_start(w, bytes) : feed_line(w, bytes);
            break;
        case IN_BOUNDARY:
            n = feed_boundary(w, bytes);
            break;
        case LOST:
            give(w, bytes);
            break;
        }
        bytes = str_skip(bytes, n);
    }
}

void mime_walker_end(struct mime_walker *w)
{
    if (w->place == IN_HEADER) {
        if (w->line.n > 0)
            end_header_line(w);
        if (w->place == IN_HEADER)
            end_header(w, false);
    } else if (w->line.n > 0) { /* the start of a line, without its end */
        unsigned which = find_boundary(w, buf_str(&w->line));
        if (which > 0)
            meet_boundary(w, which);
        give_held(w, &w->eol);
        give_held(w, &w->line);
    }
    give_held(w, &w->eol);
    if (w->place == IN_BODY)
        w->target.body_end(w->target.arg);
    if (w->place != LOST)
        w->place = IN_TEXT;
}
