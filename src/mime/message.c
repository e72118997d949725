/*
 * The structure of a message in one pass (RFC 2045, 2046).
 *
 * Lines are found with memchr; only those that begin with "--" are looked at more closely. A stack
 * holds the multiparts that are open with their boundaries. A line that begins with the boundary of
 * one of them ends all parts inside of it; of several boundaries that match (one may be the
 * beginning of another) the longest counts, of equal ones the innermost. RFC 2046 5.1.1 lets the
 * line go on behind the boundary; two hyphens there close the multipart. The line end before the
 * boundary belongs to it. Boundaries are seen in headers, too: a header that is cut off ends there.
 *
 * Sizes: while scanning, line ends and bare LFs are counted from the start of the message; a part
 * notes the counts where its body begins and takes the difference at its end, so nothing is counted
 * twice however deep the nesting.
 *
 * Bounds: the time is that of the lines plus, for lines that begin with "--", a comparison with
 * each open boundary (at most depth_max, each at most as long as the line). At parts_max lines that
 * would begin a part are text; at depth_max multiparts and messages are text/plain leaves.
 */
#include "mime/message.h"

#include "mime/content.h"
#include "mime/limits.h"

const struct mime_limits mime_limits_default = {MIME_DEPTH_MAX, MIME_PARTS_MAX, MIME_HEADER_MAX};

/* A place in the message with what was counted up to it. */
struct mark {
    const char *p;
    size_t lf;    /* bare LFs */
    size_t lines; /* line ends */
};

struct open_multipart {
    struct mime_part *part, *last_child;
    struct str boundary;
    unsigned depth;
};

struct scanner {
    struct arena *arena;
    const struct mime_limits *limits;
    struct str message;
    const char *end;
    struct content_reader content;

    struct mark at;     /* always the start of a line */
    struct mark before; /* in front of the line end before it, within the present header or body */

    struct open_multipart *open; /* innermost last; depth_max + 1 of them */
    unsigned open_count;
    unsigned part_count;
    struct mime_part *part; /* the innermost part here */
    unsigned depth;         /* its depth; the message itself has 0 */
};

/* What ended a header or a body. */
struct boundary_line {
    struct open_multipart *open; /* NULL: the end of the message */
    bool closes;
};

static size_t offset(const struct scanner *s, const char *p)
{
    return (size_t)(p - s->message.p);
}

static void next_line(struct scanner *s)
{
    const char *newline = memchr(s->at.p, '\n', (size_t)(s->end - s->at.p));
    s->before = s->at;
    if (newline == NULL) {
        s->at.p = s->before.p = s->end;
        return;
    }
    bool bare = newline == s->at.p || newline[-1] != '\r';
    s->before.p = bare ? newline : newline - 1;
    s->at.p = newline + 1;
    s->at.lf += bare;
    s->at.lines++;
}

/* Is the line a boundary of an open multipart? */
static bool is_boundary(struct scanner *s, struct boundary_line *found)
{
    if (s->end - s->at.p < 2 || s->at.p[0] != '-' || s->at.p[1] != '-')
        return false;
    struct str line = str_from(s->at.p + 2, (size_t)(s->end - s->at.p) - 2);
    struct open_multipart *best = NULL;
    for (unsigned i = s->open_count; i > 0; i--) {
        struct open_multipart *o = &s->open[i - 1];
        if ((best == NULL || o->boundary.n > best->boundary.n) &&
            str_starts_with(line, o->boundary))
            best = o;
    }
    if (best == NULL)
        return false;
    found->open = best;
    found->closes = str_starts_with(str_skip(line, best->boundary.n), STR("--"));
    return found->closes || s->part_count < s->limits->parts_max;
}

static struct mime_part *new_part(struct scanner *s, struct mime_part *parent)
{
    struct mime_part *part = ARENA_NEW(s->arena, struct mime_part);
    part->parent = parent;
    part->header_start = offset(s, s->at.p);
    part->header_lf = s->at.lf; /* counts at the start, until the header ends */
    if (parent)
        parent->child_count++;
    s->before = s->at;
    s->part = part;
    s->part_count++;
    return part;
}

static void end_header(struct scanner *s, const struct mark *end)
{
    struct mime_part *part = s->part;
    part->header_end = offset(s, end->p);
    part->header_lf = end->lf - part->header_lf;
    part->body_lf = end->lf; /* counts at the start, until the body ends */
    part->body_lines = end->lines;
}

static void end_body(struct scanner *s, struct mime_part *part, const struct mark *end)
{
    size_t at = offset(s, end->p);
    bool empty = at <= part->header_end;
    part->body_end = empty ? part->header_end : at;
    part->body_lf = empty ? 0 : end->lf - part->body_lf;
    part->body_lines = empty ? 0 : end->lines - part->body_lines;
}

/* Reads the header of s->part. False: a boundary cut it off. */
static bool read_header(struct scanner *s, struct boundary_line *line)
{
    while (s->at.p < s->end) {
        if (is_boundary(s, line)) {
            end_header(s, &s->before);
            return false;
        }
        bool empty =
            *s->at.p == '\n' || (*s->at.p == '\r' && s->at.p + 1 < s->end && s->at.p[1] == '\n');
        next_line(s);
        if (empty)
            break;
    }
    end_header(s, &s->at);
    s->before = s->at; /* the empty line is no part of a boundary that follows */
    return true;
}

static struct boundary_line read_body(struct scanner *s)
{
    struct boundary_line line = {NULL, false};
    while (s->at.p < s->end) {
        if (s->open_count > 0 && *s->at.p == '-' && is_boundary(s, &line))
            return line;
        next_line(s);
    }
    return (struct boundary_line){NULL, false};
}

static void make_leaf(struct mime_part *part, struct arena *a)
{
    part->type = STR("text");
    part->subtype = STR("plain");
    part->parameters = ARENA_NEW(a, struct mime_parameter);
    part->parameters[0] = (struct mime_parameter){.name = STR("charset"), .value = STR("us-ascii")};
    part->parameter_count = 1;
}

static bool is_identity(struct str encoding)
{
    return !str_equal_nocase(encoding, STR("base64")) &&
           !str_equal_nocase(encoding, STR("quoted-printable"));
}

static bool holds_message(const struct scanner *s)
{
    const struct mime_part *part = s->part;
    return (content_type_is(part, "message", "rfc822") ||
            content_type_is(part, "message", "global")) &&
           is_identity(part->encoding) && s->part_count < s->limits->parts_max;
}

static void open_multipart(struct scanner *s)
{
    const struct mime_parameter *boundary =
        mime_parameter_find(s->part->parameters, s->part->parameter_count, STR("boundary"));
    struct str value = boundary ? str_trim(boundary->value) : STR("");
    if (value.n > 0)
        s->open[s->open_count++] =
            (struct open_multipart){.part = s->part, .boundary = value, .depth = s->depth};
}

static void interpret_header(struct scanner *s)
{
    struct mime_part *part = s->part;
    struct str block =
        str_from(s->message.p + part->header_start, part->header_end - part->header_start);
    bool in_digest = part->parent && content_type_is(part->parent, "multipart", "digest");
    content_parse(&s->content, part, str_head(block, s->limits->header_max), in_digest);
    bool composite = content_type_is(part, "multipart", NULL) || holds_message(s);
    if (composite && s->depth >= s->limits->depth_max)
        make_leaf(part, s->arena);
}

/* Ends all parts inside of the multipart and makes it the present one again. */
static void return_to(struct scanner *s, struct open_multipart *open, const struct mark *end)
{
    for (struct mime_part *part = s->part; part != open->part; part = part->parent)
        end_body(s, part, end);
    s->part = open->part;
    s->depth = open->depth;
    s->open_count = (unsigned)(open - s->open) + 1;
}

static void begin_child(struct scanner *s, struct open_multipart *open)
{
    struct mime_part *child = new_part(s, open->part);
    *(open->last_child ? &open->last_child->next : &open->part->children) = child;
    open->last_child = child;
    open->part->is_multipart = true;
    s->depth++;
}

/* Handles boundary lines up to one that begins a part. False at the end of the message. */
static bool next_part(struct scanner *s, struct boundary_line line)
{
    while (line.open != NULL) {
        return_to(s, line.open, &s->before);
        next_line(s);
        if (!line.closes) {
            begin_child(s, line.open);
            return true;
        }
        s->open_count--; /* the epilogue follows */
        s->before = s->at;
        line = read_body(s);
    }
    return false;
}

struct mime_part *mime_parse(struct arena *a, struct str message, const struct mime_limits *limits,
                             bool copy_strings)
{
    struct scanner s = {
        .arena = a,
        .limits = limits ? limits : &mime_limits_default,
        .message = message,
        .end = message.p + message.n,
        .content = {a, copy_strings, MIME_PARAMETERS_ALL},
        .at = {message.p, 0, 0},
    };
    s.open = arena_array(a, s.limits->depth_max + 1, sizeof(*s.open));
    struct mime_part *root = new_part(&s, NULL);
    struct boundary_line line;
    do {
        bool whole = read_header(&s, &line);
        interpret_header(&s);
        if (whole && holds_message(&s)) {
            struct mime_part *holder = s.part;
            holder->is_message = true;
            holder->children = new_part(&s, holder);
            s.depth++;
            line = (struct boundary_line){NULL, false};
            continue;
        }
        if (whole) {
            if (content_type_is(s.part, "multipart", NULL))
                open_multipart(&s);
            line = read_body(&s);
        }
        if (!next_part(&s, line))
            break;
    } while (true);
    for (struct mime_part *part = s.part; part != NULL; part = part->parent)
        end_body(&s, part, &s.at);
    return root;
}
