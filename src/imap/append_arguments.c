/*
 * The grammar of APPEND's arguments:
 *
 *   mailbox SP [flag-list SP] [date-time SP] data
 *   data = literal / literal8 / "CATENATE" SP "(" parts ")"
 *   part = "TEXT" SP literal / "URL" SP astring
 *
 * The arguments are walked from the start each time a literal is announced, up to that literal,
 * which has no bytes yet: where the walk meets it decides what becomes of it. So everything in
 * front of a message is checked before the client sends the message.
 */
#include "imap/append.h"
#include "imap/limits.h"
#include "mime/date.h"
#include "store/quota.h"

struct walk {
    struct imap_command *c;
    struct append *append;
    struct imap_argument *at;
    enum imap_literal_use use; /* of the literal that was met */
    bool met;                  /* the announced literal: the walk ends there */
    uint64_t bytes;            /* of the message that is being walked */
    uint64_t announced;
};

/* A literal without bytes is the one that is announced. */
static bool is_announced(const struct imap_argument *a)
{
    return a->type == IMAP_LITERAL && !a->text.p && !a->spool;
}

static bool meet(struct walk *w, const struct imap_argument *a, enum imap_literal_use use)
{
    if (is_announced(a)) {
        w->met = true;
        w->use = use;
        if (use == IMAP_LITERAL_SPOOL)
            w->bytes += w->announced;
    } else if (a->spool) {
        w->bytes += spool_size(a->spool);
    }
    return w->met;
}

static bool fail(struct walk *w, const struct imap_argument *a, const char *what)
{
    imap_expected(w->c, a, what);
    return false;
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
    w->at = w->at->next;
    return true;
}

static bool walk_date(struct walk *w, struct append_message *m)
{
    if (!w->at || w->at->type != IMAP_QUOTED)
        return true;
    if (!date_parse_imap(w->at->text, &m->date))
        return fail(w, w->at, "a date as in \"21-Nov-2026 08:56:41 +0000\"");
    w->at = w->at->next;
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
    w->at = list->next;
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

static bool walk_parts(struct walk *w, struct append_message *m)
{
    struct imap_argument *list = take_list(w, "a list of URL and TEXT parts");
    size_t count = 0;
    if (!list)
        return false;
    for (struct imap_argument *a = list->children; a; a = a->next)
        count++;
    m->parts = arena_array(w->c->arena, count, sizeof *m->parts);
    for (struct imap_argument *a = list->children; a; a = a->next) {
        struct append_part *part = &m->parts[m->part_count++];
        bool text = imap_argument_is(a, "TEXT");
        if (!text && !imap_argument_is(a, "URL"))
            return fail(w, a, "URL or TEXT");
        a = a->next;
        if (!a)
            return fail(w, NULL, text ? "a literal" : "a URL");
        if (text ? !walk_text(w, part, a) : !walk_url(w, part, a))
            return false;
    }
    return true;
}

static bool walk_data(struct walk *w, struct append_message *m)
{
    if (imap_argument_is(w->at, "CATENATE"))
        return walk_parts(w, m);
    if (!w->at || w->at->type != IMAP_LITERAL)
        return fail(w, w->at, "the message as a literal");
    m->literal = w->at;
    w->at = w->at->next;
    return !meet(w, m->literal, IMAP_LITERAL_SPOOL);
}

static bool check_size(struct walk *w)
{
    uint64_t most = (uint64_t)w->c->session->settings->append_size_max;
    if (w->bytes <= most)
        return true;
    imap_no(w->c, "[TOOBIG] Messages may have %llu bytes", (unsigned long long)most);
    return false;
}

/* --- all --- */

/* True when all of it is there and right. */
static bool walk_message(struct walk *w)
{
    struct append_message *m = &w->append->message;
    *m = (struct append_message){.date = INT64_MIN};
    bool on = walk_flags(w, m) && walk_date(w, m) && walk_data(w, m);
    if ((!on && !w->met) || !check_size(w) || w->met)
        return false;
    return !w->at || fail(w, w->at, "the end of the command behind the message");
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
    struct err e;
    if (quota_check_append(a->mailbox, size, &e))
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
    w.at = name->next;
    walk_message(&w);
    if (c->status != IMAP_PENDING)
        return IMAP_LITERAL_REFUSED;
    if (!w.met) {
        imap_bad(c, "Expected no literal here");
        return IMAP_LITERAL_REFUSED;
    }
    if (w.use == IMAP_LITERAL_SPOOL && (!open_mailbox(c, a) || !has_room(c, a, w.bytes)))
        return IMAP_LITERAL_REFUSED;
    return w.use;
}

bool append_take(struct imap_command *c, struct append *a)
{
    struct walk w = {.c = c, .append = a};
    if (!imap_take_mailbox(c, &a->name))
        return false;
    w.at = c->next;
    return walk_message(&w) && open_mailbox(c, a);
}
