/*
 * The grammar of APPEND's arguments, and of REPLACE's behind the message that is replaced:
 *
 *   mailbox 1*(SP [flag-list SP] [date-time SP] data)
 *   data = literal / literal8 / "CATENATE" SP "(" parts ")" / "UTF8" SP "(" literal8 ")"
 *   part = "TEXT" SP literal / "URL" SP astring / "UTF8" SP "(" literal8 ")"
 *
 * The arguments are walked each time a literal is announced, up to that literal, which has no bytes
 * yet: where the walk meets it decides what becomes of it. So everything in front of a message is
 * checked before the client sends the message. A walk begins behind the last whole message.
 */
#include "imap/append.h"
#include "imap/limits.h"
#include "mime/date.h"
#include "store/quota.h"

struct walk {
    struct imap_command *c;
    struct append *append;
    struct imap_argument *at, *previous; /* at == NULL: behind the last one, previous */
    enum imap_literal_use use;           /* of the literal that was met */
    bool met;                            /* the announced literal: the walk ends there */
    uint64_t bytes, memory;              /* of the message that is being walked */
    uint64_t announced;
};

/* A literal without bytes is the one that is announced. */
static bool is_announced(const struct imap_argument *a)
{
    return a->type == IMAP_LITERAL && !a->text.p && !a->spool;
}

/* Small literals stay in memory, but not any number of them. */
static void hold(struct walk *w, struct spool *spool)
{
    uint64_t bytes = spool_memory(spool).n;
    struct err e;
    if (w->append->memory + w->memory + bytes <= IMAP_APPEND_MEMORY_MAX)
        w->memory += bytes;
    else if (!spool_leave_memory(spool, &e))
        imap_fail(w->c, &e, false);
}

/* True: the walk is over. */
static bool meet(struct walk *w, const struct imap_argument *a, enum imap_literal_use use)
{
    if (is_announced(a)) {
        w->met = true;
        w->use = use;
        if (use == IMAP_LITERAL_SPOOL)
            w->bytes += w->announced;
    } else if (a->spool) {
        w->bytes += spool_size(a->spool);
        hold(w, a->spool);
    }
    return w->met || w->c->status != IMAP_PENDING;
}

static bool fail(struct walk *w, const struct imap_argument *a, const char *what)
{
    imap_expected(w->c, a, what);
    return false;
}

static void advance(struct walk *w, struct imap_argument *a)
{
    w->previous = a;
    w->at = a->next;
}

/* --- one message; each returns false when the walk is over: met, or the result is set --- */

static bool walk_flags(struct walk *w, struct append_message *m)
{
    if (!w->at || w->at->type != IMAP_LIST)
        return true;
    for (const struct imap_argument *flag = w->at->children; flag; flag = flag->next)
        if (flag->type == IMAP_LITERAL)
            return fail(w, flag, "a flag");
    if (!imap_take_flags(w->c, w->at->children, &m->flags))
        return false;
    advance(w, w->at);
    return true;
}

static bool walk_date(struct walk *w, struct append_message *m)
{
    if (!w->at || w->at->type != IMAP_QUOTED)
        return true;
    if (!date_parse_imap(w->at->text, &m->date))
        return fail(w, w->at, "a date as in \"21-Nov-2026 08:56:41 +0000\"");
    advance(w, w->at);
    return true;
}

/* The list behind a word. */
static struct imap_argument *take_list(struct walk *w, const char *what)
{
    struct imap_argument *list = w->at->next;
    if (!list || list->type != IMAP_LIST || !list->children) {
        imap_expected(w->c, list, what);
        return NULL;
    }
    advance(w, list);
    return list;
}

static bool walk_text(struct walk *w, struct append_part *part, struct imap_argument *a)
{
    if (a->type != IMAP_LITERAL)
        return fail(w, a, "a literal behind TEXT");
    part->literal = a;
    return !meet(w, a, IMAP_LITERAL_SPOOL);
}

static bool walk_url(struct walk *w, struct append_part *part, struct imap_argument *a)
{
    if (meet(w, a, IMAP_LITERAL_MEMORY))
        return false;
    return imap_argument_astring(a, &part->url) || fail(w, a, "a URL");
}

static struct append_part *add_part(struct walk *w, struct append_message *m)
{
    if (m->part_count == IMAP_CATENATE_PARTS_MAX) {
        imap_bad(w->c, "A message may have %d parts", IMAP_CATENATE_PARTS_MAX);
        return NULL;
    }
    m->parts =
        arena_grow(w->c->arena, m->parts, m->part_count, &m->part_capacity, sizeof(*m->parts), 8);
    m->parts[m->part_count] = (struct append_part){0};
    return &m->parts[m->part_count++];
}

/* RFC 6855 4: "UTF8" "(" literal8 ")". */
static bool walk_utf8_part(struct walk *w, struct append_part *part, struct imap_argument *list)
{
    struct imap_argument *a = list->type == IMAP_LIST ? list->children : NULL;
    if (!a || a->type != IMAP_LITERAL || !a->binary)
        return fail(w, list, "a list with a literal8 behind UTF8");
    part->literal = a;
    if (meet(w, a, IMAP_LITERAL_SPOOL))
        return false;
    return !a->next || fail(w, a->next, "the end of the list");
}

static bool walk_part(struct walk *w, struct append_message *m, struct imap_argument *a)
{
    static const struct {
        const char *name, *what;
        bool (*walk)(struct walk *w, struct append_part *part, struct imap_argument *a);
    } kinds[] = {{"URL", "a URL", walk_url},
                 {"TEXT", "a literal", walk_text},
                 {"UTF8", "a list with a literal8", walk_utf8_part}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!imap_argument_is(a, kinds[i].name))
            continue;
        if (!a->next)
            return fail(w, NULL, kinds[i].what);
        struct append_part *part = add_part(w, m);
        return part && kinds[i].walk(w, part, a->next);
    }
    return fail(w, a, "URL, TEXT or UTF8");
}

static bool walk_parts(struct walk *w, struct append_message *m)
{
    struct imap_argument *list = take_list(w, "a list of URL and TEXT parts");
    if (!list)
        return false;
    for (struct imap_argument *a = list->children; a; a = a->next->next)
        if (!walk_part(w, m, a))
            return false;
    return true;
}

/* RFC 6855 4: what is in it may have UTF-8 anywhere, which every message here may. */
static bool walk_utf8(struct walk *w, struct append_message *m)
{
    struct imap_argument *list = take_list(w, "a list with a literal8");
    if (!list)
        return false;
    m->literal = list->children;
    if (m->literal->type != IMAP_LITERAL || !m->literal->binary)
        return fail(w, m->literal, "a literal8 behind UTF8");
    if (!meet(w, m->literal, IMAP_LITERAL_SPOOL))
        return !m->literal->next || fail(w, m->literal->next, "the end of the list");
    return false;
}

static bool walk_data(struct walk *w, struct append_message *m)
{
    if (imap_argument_is(w->at, "CATENATE"))
        return walk_parts(w, m);
    if (imap_argument_is(w->at, "UTF8"))
        return walk_utf8(w, m);
    if (!w->at || w->at->type != IMAP_LITERAL)
        return fail(w, w->at, "the message as a literal");
    m->literal = w->at;
    advance(w, w->at);
    return !meet(w, m->literal, IMAP_LITERAL_SPOOL);
}

static bool check_size(struct walk *w)
{
    uint64_t most = (uint64_t)w->c->session->settings->append_size_max;
    uint64_t all = most > IMAP_APPEND_TOTAL_MAX ? most : IMAP_APPEND_TOTAL_MAX;
    if (w->bytes > most)
        imap_no(w->c, "[TOOBIG] Messages may have %llu bytes", (unsigned long long)most);
    else if (w->append->bytes + w->bytes > all)
        imap_no(w->c, "[TOOBIG] The messages of one command may have %llu bytes together",
                (unsigned long long)all);
    return w->c->status == IMAP_PENDING;
}

/* --- all --- */

/* True when all of a message is there and right. */
static bool walk_message(struct walk *w, struct append_message *m)
{
    *m = (struct append_message){
        .date = INT64_MIN, .parts = m->parts, .part_capacity = m->part_capacity};
    w->bytes = w->memory = 0;
    bool on = walk_flags(w, m) && walk_date(w, m) && walk_data(w, m);
    return (on || w->met) && check_size(w) && !w->met;
}

/* The message behind the last whole one. What an earlier walk left of it is used again. */
static struct append_message *next_message(struct walk *w)
{
    struct append *a = w->append;
    struct append_message **m = a->last ? &a->last->next : &a->first;
    if (a->count == (a->replaced ? 1 : MAILBOX_APPEND_MAX)) {
        if (a->replaced)
            fail(w, w->at, "the end of the command behind the message");
        else
            imap_no(w->c, "[LIMIT] One command can append %d messages", MAILBOX_APPEND_MAX);
        return NULL;
    }
    if (!*m)
        *m = ARENA_NEW(w->c->arena, struct append_message);
    return *m;
}

/* From where the last walk got to. True when all there is are whole messages, at least one. */
static bool walk_messages(struct walk *w, struct imap_argument *first)
{
    struct append *a = w->append;
    w->at = a->done ? a->done->next : first;
    while (w->at || !a->count) {
        struct append_message *m = next_message(w);
        if (!m || !walk_message(w, m))
            return false;
        a->last = m;
        a->count++;
        a->bytes += w->bytes;
        a->memory += w->memory;
        a->done = w->previous;
    }
    return true;
}

static void close_mailbox(void *mailbox)
{
    mailbox_unref(mailbox);
}

static bool open_mailbox(struct imap_command *c, struct append *a)
{
    if (a->mailbox)
        return true;
    if (!imap_open(c, a->name, RIGHT_INSERT, true, &a->mailbox))
        return false;
    arena_on_free(c->arena, close_mailbox, a->mailbox);
    return true;
}

static bool has_room(struct imap_command *c, const struct append *a, uint64_t size)
{
    struct imap_selected *v = c->session->selected;
    struct quota_count more = {.bytes = size, .messages = a->count + 1};
    struct err e;
    if (a->replaced && v)
        more = quota_replacing(a->mailbox, size, v->mailbox, a->replaced);
    if (quota_check_append(a->mailbox, more, &e))
        return true;
    imap_fail(c, &e, true);
    return false;
}

enum imap_literal_use append_literal(struct imap_command *c, struct append *a,
                                     const struct imap_argument *arguments, uint64_t size)
{
    struct imap_argument *name = (struct imap_argument *)arguments;
    struct walk w = {.c = c, .append = a, .announced = size};
    if (!name || is_announced(name))
        return IMAP_LITERAL_MEMORY;
    c->next = name;
    if (!imap_take_mailbox(c, &a->name))
        return IMAP_LITERAL_REFUSED;
    walk_messages(&w, name->next);
    if (c->status != IMAP_PENDING)
        return IMAP_LITERAL_REFUSED;
    if (!w.met) {
        imap_bad(c, "Expected no literal here");
        return IMAP_LITERAL_REFUSED;
    }
    if (w.use == IMAP_LITERAL_SPOOL && (!open_mailbox(c, a) || !has_room(c, a, a->bytes + w.bytes)))
        return IMAP_LITERAL_REFUSED;
    return w.use;
}

bool append_take(struct imap_command *c, struct append *a)
{
    struct walk w = {.c = c, .append = a};
    if (!imap_take_mailbox(c, &a->name))
        return false;
    return walk_messages(&w, c->next) && open_mailbox(c, a);
}
