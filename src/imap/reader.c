/*
 * Puts a command together: its first line decides which command it is, every literal is fetched in
 * between, and the parser grows the tree.
 *
 * A literal that is refused (too large, not allowed, the command is malformed anyway) must not be
 * taken for commands. One that the client waits with ("{9}") is refused by the tagged answer, and
 * never comes. One that follows unasked ("{9+}", RFC 7888) is read and thrown away with the rest of
 * the command, before the answer; a client that has not logged in and sends a large one is
 * disconnected instead (RFC 7888 section 4 allows both).
 */
#include "imap/reader.h"

#include "core/spool.h"
#include "imap/limits.h"

struct budget {
    size_t line_max;
    uint64_t left; /* of the whole command */
};

static struct budget budget_of(const struct imap_session *s)
{
    if (!s->user)
        return (struct budget){IMAP_ANONYMOUS_LINE_MAX, IMAP_ANONYMOUS_COMMAND_MAX};
    return (struct budget){(size_t)s->settings->line_max, (uint64_t)s->settings->command_max};
}

bool imap_read_line(struct imap_session *s, size_t max, struct str *line, bool *too_long)
{
    struct err e;
    *too_long = false;
    if (stream_read_line(s->net.stream, max, line, NULL, &e)) {
        s->bytes_in += line->n + 2;
        return true;
    }
    *too_long = e.kind == ERR_LIMIT;
    if (!*too_long)
        session_end_failed(&s->net, &e);
    return false;
}

/* A literal on its way. */
struct intake {
    struct imap_session *session;
    uint64_t left, received;
    usec begun;
};

static struct intake intake_of(struct imap_session *s, uint64_t size)
{
    return (struct intake){.session = s, .left = size, .begun = clock_monotonic()};
}

/* Waits for bytes of it; borrowed. */
static bool read_some(struct intake *in, struct str *bytes)
{
    struct stream *stream = in->session->net.stream;
    struct err e;
    if (!stream_buffered(stream).n && (!stream_is_in_time(stream, in->begun, in->received, &e) ||
                                       !stream_fill(stream, IMAP_CHUNK, &e))) {
        session_end_failed(&in->session->net, &e);
        return false;
    }
    *bytes = str_head(stream_buffered(stream), in->left < IMAP_CHUNK ? in->left : IMAP_CHUNK);
    in->left -= bytes->n;
    in->received += bytes->n;
    in->session->bytes_in += bytes->n;
    return true;
}

/* --- throwing away --- */

static bool discard_bytes(struct imap_session *s, uint64_t size)
{
    struct intake in = intake_of(s, size);
    struct str bytes;
    while (in.left) {
        if (!read_some(&in, &bytes))
            return false;
        stream_consume(s->net.stream, bytes.n);
    }
    return true;
}

static bool goodbye(struct imap_session *s, struct str line, const char *reason)
{
    imap_write(s, line);
    session_end(&s->net, reason);
    return false;
}

/* The rest of a command that is refused, when its present line is `line`. */
static bool discard_rest(struct imap_session *s, struct str line)
{
    uint64_t size;
    bool sync, too_long;
    while (imap_line_literal(line, &size, &sync) && !sync) {
        if (!s->user && size > IMAP_ANONYMOUS_COMMAND_MAX)
            return goodbye(s, STR("* BYE [TOOBIG] The literal is too large\r\n"),
                           "literal too large");
        if (!discard_bytes(s, size))
            return false;
        if (!imap_read_line(s, budget_of(s).line_max, &line, &too_long))
            return too_long &&
                   goodbye(s, STR("* BYE [TOOBIG] The line is too long\r\n"), "line too long");
    }
    return true;
}

/* --- literals --- */

static bool read_into_memory(struct imap_command *c, uint64_t size, struct str *literal)
{
    char *p = arena_alloc(c->arena, (size_t)size + 1);
    size_t n = 0;
    struct intake in = intake_of(c->session, size);
    while (in.left) {
        struct str bytes;
        if (!read_some(&in, &bytes))
            return false;
        memcpy(p + n, bytes.p, bytes.n);
        n += bytes.n;
        stream_consume(c->session->net.stream, bytes.n);
    }
    *literal = str_from(p, n);
    return true;
}

#define CRS_MAX 1024 /* a longer run is no line end, but bytes */

static void add_crs(struct buf *out, uint64_t *crs)
{
    for (; *crs; --*crs)
        buf_add_char(out, '\r');
}

/* CRLF becomes LF, and so does CR CR LF: a CR that stayed before an LF could not be told from a
 * line end when the message is read. CRs are held back in *crs until their successor is seen. */
static void strip_cr(struct buf *out, struct str in, uint64_t *crs)
{
    for (size_t at = 0; at < in.n;) {
        if (in.p[at] == '\r') {
            if (++*crs == CRS_MAX)
                add_crs(out, crs);
            at++;
            continue;
        }
        if (in.p[at] == '\n')
            *crs = 0;
        add_crs(out, crs);
        const char *next = memchr(in.p + at, '\r', in.n - at);
        size_t end = next ? (size_t)(next - in.p) : in.n;
        buf_add(out, in.p + at, end - at);
        at = end;
    }
}

static void drop_spool(void *spool)
{
    spool_unref(spool);
}

struct spool *imap_new_spool(struct imap_command *c)
{
    char id[ID_SIZE];
    random_id(id);
    struct spool *spool = spool_new(c->session->context->spool_dir, id);
    arena_on_free(c->arena, drop_spool, spool);
    return spool;
}

/* A literal8 stays as it is: what is binary has no line ends. A failure of the disk becomes the
 * command's result; the literal is read to its end. */
static bool read_into_spool(struct imap_command *c, uint64_t size, bool binary,
                            struct spool **spool)
{
    *spool = imap_new_spool(c);
    struct buf out = BUF_EMPTY;
    struct err e;
    struct intake in = intake_of(c->session, size);
    uint64_t crs = 0;
    bool writing = true, reading = true;
    while (in.left && reading) {
        struct str bytes;
        reading = read_some(&in, &bytes);
        if (!reading)
            break;
        buf_clear(&out);
        if (binary)
            buf_add_str(&out, bytes);
        else
            strip_cr(&out, bytes, &crs);
        stream_consume(c->session->net.stream, bytes.n);
        if (!in.left)
            add_crs(&out, &crs);
        writing = writing && spool_write(*spool, buf_str(&out), &e);
        if (!writing)
            imap_fail(c, &e, false);
    }
    buf_free(&out);
    return reading;
}

static bool read_literal(struct imap_command *c, struct imap_parser *p, enum imap_literal_use use)
{
    struct str bytes = {0};
    struct spool *spool = NULL;
    if (p->literal_sync) {
        imap_write(c->session, STR("+ OK\r\n"));
        if (!session_flush(&c->session->net))
            return false;
    }
    if (use == IMAP_LITERAL_SPOOL ? !read_into_spool(c, p->literal_size, p->literal_binary, &spool)
                                  : !read_into_memory(c, p->literal_size, &bytes))
        return false;
    imap_parser_literal(p, bytes, spool);
    return true;
}

/* Where the literal goes; REFUSED: the result is set. */
static enum imap_literal_use decide_literal(struct imap_command *c, struct imap_parser *p,
                                            struct budget *budget)
{
    if (c->status != IMAP_PENDING)
        return IMAP_LITERAL_REFUSED;
    if (c->session->settings->literal_minus && !p->literal_sync &&
        p->literal_size > IMAP_LITERAL_MINUS_MAX) {
        imap_bad(c, "[TOOBIG] Literals of more than %d bytes must be asked for",
                 IMAP_LITERAL_MINUS_MAX);
        return IMAP_LITERAL_REFUSED;
    }
    enum imap_literal_use use = IMAP_LITERAL_MEMORY;
    if (c->entry->literal)
        use = c->entry->literal(c, p->arguments, p->literal_size);
    if (use != IMAP_LITERAL_MEMORY)
        return use;
    if (p->literal_size > budget->left) {
        imap_bad(c, "[TOOBIG] The command would exceed its limit");
        return IMAP_LITERAL_REFUSED;
    }
    budget->left -= p->literal_size;
    return use;
}

/* --- the command --- */

/* A copied line. False: the session is over, or the line is too long and that is the result. */
static bool next_line(struct imap_command *c, struct budget *budget, struct str *line)
{
    bool too_long;
    if (!imap_read_line(c->session, budget->line_max, line, &too_long)) {
        if (!too_long)
            return false;
        if (!c->session->user)
            return goodbye(c->session, STR("* BYE [TOOBIG] The line is too long\r\n"),
                           "line too long");
        if (!c->tag.n)
            c->tag = STR("*");
        imap_bad(c, "[TOOBIG] The line is longer than %zu bytes", budget->line_max);
        *line = STR("");
        return true;
    }
    if (line->n > budget->left) {
        imap_bad(c, "[TOOBIG] The command would exceed its limit");
        return true;
    }
    budget->left -= line->n;
    *line = arena_str(c->arena, *line);
    return true;
}

static void check_state(struct imap_command *c)
{
    const struct imap_session *s = c->session;
    unsigned states = c->entry->states;
    bool by_number = c->entry->flags & IMAP_BY_NUMBER && !c->uid;
    unsigned now = !s->user ? IMAP_ANONYMOUS : s->selected ? IMAP_SELECTED : IMAP_AUTHENTICATED;
    if (states & now) {
        if (by_number && s->enabled & ENABLED_UIDONLY)
            imap_bad(c, "[UIDREQUIRED] There are no sequence numbers after ENABLE UIDONLY");
        else if (c->entry->flags & IMAP_NEEDS_WRITE && s->selected && s->selected->read_only)
            imap_no(c, "[READ-ONLY] The mailbox was opened with EXAMINE");
        return;
    }
    if (!s->user)
        imap_bad(c, "%s needs a login first", c->entry->name);
    else if (!(states & IMAP_LOGGED_IN))
        imap_bad(c, "%s is not possible after the login", c->entry->name);
    else
        imap_bad(c, "%s needs a selected mailbox", c->entry->name);
}

/* Tag and name; the result is set when there is no such command here. */
static void begin(struct imap_command *c, struct imap_parser *p)
{
    struct str name;
    if (!imap_parser_tag(p, &c->tag)) {
        c->tag = STR("*");
        imap_bad(c, "%.*s", STR_ARG(p->error));
        return;
    }
    if (!imap_parser_name(p, &name)) {
        imap_bad(c, "%.*s", STR_ARG(p->error));
        return;
    }
    if (str_equal_nocase(name, STR("UID"))) {
        c->uid = true;
        if (!imap_parser_name(p, &name)) {
            imap_bad(c, "%.*s", STR_ARG(p->error));
            return;
        }
    }
    c->entry = imap_command_find(name);
    if (c->entry && c->uid && !(c->entry->flags & IMAP_HAS_UID))
        c->entry = NULL;
    if (!c->entry) {
        imap_bad(c, "Unknown command");
        return;
    }
    p->sections = c->entry->flags & IMAP_SECTIONS;
    p->utf8 = imap_session_utf8(c->session);
    check_state(c);
}

bool imap_command_read(struct imap_command *c)
{
    struct imap_session *s = c->session;
    struct budget budget = budget_of(s);
    struct imap_parser p;
    imap_parser_init(
        &p, c->arena,
        (struct imap_parser_limits){s->user ? IMAP_ARGUMENTS_MAX : IMAP_ANONYMOUS_ARGUMENTS_MAX,
                                    IMAP_DEPTH_MAX});
    struct str line;
    if (!next_line(c, &budget, &line))
        return false;
    imap_parser_line(&p, line);
    if (c->status == IMAP_PENDING)
        begin(c, &p);
    while (c->status == IMAP_PENDING) {
        enum imap_parse r = imap_parser_arguments(&p);
        if (r == IMAP_PARSE_DONE)
            break;
        if (r == IMAP_PARSE_BAD) {
            imap_bad(c, "%.*s", STR_ARG(p.error));
            break;
        }
        enum imap_literal_use use = decide_literal(c, &p, &budget);
        if (use == IMAP_LITERAL_REFUSED)
            break;
        if (!read_literal(c, &p, use) || !next_line(c, &budget, &line))
            return false;
        imap_parser_line(&p, line);
    }
    c->next = p.arguments;
    return c->status == IMAP_PENDING || discard_rest(s, line);
}
