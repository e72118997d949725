/*
 * Following one message. What is known of it are ids and places; the store is searched for their
 * terms, and what is found gives further ones, until nothing new comes.
 *
 *   an id      of a message: all its lines, and those of others that name it (of=, as=, report=);
 *              of a connection: its own lines, and, if the question began with it, its messages
 *   a place    an account, a mailbox, a UID: from the event that brought the message there to the
 *              one that took it away. A copy or move is one of both: it leads to another place.
 *              The name of a mailbox changes with RENAME, that of mailboxes below it as well.
 *
 * Everything is bounded (trace/limits.h), since a message may have a hundred thousand recipients.
 */
#include "trace/story_private.h"

#include "core/buf.h"
#include "core/mem.h"
#include "trace/field.h"
#include "trace/limits.h"
#include "trace/term.h"
#include "trace/uids.h"

#include <stdlib.h>

enum id_kind { ID_MESSAGE, ID_CONNECTION, ID_CONNECTION_ASKED };

struct known_id {
    struct str id;
    enum id_kind kind;
    bool searched;
};

struct place {
    struct str home, mailbox;
    uint32_t uid;
    uint64_t from, to; /* positions of the events that begin and end it; 0, UINT64_MAX: not known */
    bool searched;
};

struct following {
    const struct story_request *request;
    struct arena *arena;
    struct known_id ids[STORY_IDS_MAX];
    size_t id_count;
    struct place places[STORY_PLACES_MAX];
    size_t place_count;
    struct story_event *events;
    size_t event_count, event_room;
    bool cut, late, changed;
};

bool event_is(const struct trace_event *event, const char *words)
{
    return str_equal(field_words(event->text), str_from_c(words));
}

/* --- what is known --- */

static struct known_id *find_id(struct following *f, struct str id)
{
    for (size_t i = 0; i < f->id_count; i++)
        if (str_equal(f->ids[i].id, id))
            return &f->ids[i];
    return NULL;
}

static void add_id(struct following *f, struct str id, enum id_kind kind)
{
    struct known_id *known = id.n > 0 ? find_id(f, id) : NULL;
    if (id.n == 0 || (known && (known->kind == kind || kind != ID_MESSAGE)))
        return;
    if (!known && f->id_count == STORY_IDS_MAX) {
        f->cut = true;
        return;
    }
    if (!known)
        known = &f->ids[f->id_count++];
    *known = (struct known_id){.id = arena_str(f->arena, id), .kind = kind};
    f->changed = true;
}

static struct str home_of(struct following *f, struct str account, bool is_public)
{
    struct buf home = BUF_EMPTY;
    place_add_home(&home, account, is_public);
    struct str copy = arena_str(f->arena, buf_str(&home));
    buf_free(&home);
    return copy;
}

/* from: the position of the event that brought the message there; 0: not known. */
static void add_place(struct following *f, struct str account, bool is_public, struct str mailbox,
                      uint32_t uid, uint64_t from)
{
    struct str home = home_of(f, account, is_public);
    for (size_t i = 0; i < f->place_count; i++) {
        struct place *p = &f->places[i];
        if (p->uid == uid && str_equal(p->mailbox, mailbox) && str_equal(p->home, home) &&
            (from == 0 || p->from == 0 || (p->from <= from && from <= p->to))) {
            if (p->from == 0 && from != 0)
                p->from = from;
            return;
        }
    }
    if (uid == 0 || f->place_count == STORY_PLACES_MAX) {
        f->cut = f->cut || uid != 0;
        return;
    }
    f->places[f->place_count++] = (struct place){.home = home,
                                                 .mailbox = arena_str(f->arena, mailbox),
                                                 .uid = uid,
                                                 .from = from,
                                                 .to = UINT64_MAX};
    f->changed = true;
}

static bool is_within(const struct place *p, uint64_t position)
{
    return position >= p->from && position <= p->to;
}

/* --- places --- */

/* The kinds of events that have one. */
enum place_event {
    PLACE_NONE,
    PLACE_BRINGS,
    PLACE_CHANGES,
    PLACE_TRANSFERS,
    PLACE_ENDS,
    PLACE_RENAMES
};

static enum place_event place_event_of(const struct trace_event *event)
{
    static const struct {
        const char *words;
        enum place_event kind;
    } kinds[] = {
        {"delivery", PLACE_BRINGS}, {"append", PLACE_BRINGS},  {"appended", PLACE_BRINGS},
        {"restored", PLACE_BRINGS}, {"flags", PLACE_CHANGES},  {"delete", PLACE_CHANGES},
        {"copy", PLACE_TRANSFERS},  {"move", PLACE_TRANSFERS}, {"expunge", PLACE_ENDS},
        {"replaced", PLACE_ENDS},   {"rename", PLACE_RENAMES},
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (event_is(event, kinds[i].words))
            return kinds[i].kind;
    return PLACE_NONE;
}

struct place_facts {
    enum place_event kind;
    struct place_names names;
    struct str home, to_home;
    struct str uids, to_uids;
    bool is_move, of_mailbox; /* "delete" without UIDs: the mailbox is gone */
};

static bool take_facts(struct following *f, const struct trace_event *event, struct place_facts *x)
{
    x->kind = place_event_of(event);
    if (x->kind == PLACE_NONE || !place_of(event->text, &x->names))
        return false;
    x->home = home_of(f, x->names.account, x->names.is_public);
    x->to_home = home_of(f, x->names.to_account, x->names.to_public);
    x->uids = field_get(event->text, "uids");
    if (!x->uids.p)
        x->uids = field_get(event->text, "uid");
    x->to_uids = field_get(event->text, "to_uids");
    x->is_move = event_is(event, "move");
    x->of_mailbox = event_is(event, "delete") && !x->uids.p;
    return true;
}

/* Is the place's mailbox this one, or below it? *rest: what stands behind its name. */
static bool is_in(const struct place *p, struct str home, struct str mailbox, bool below,
                  struct str *rest)
{
    if (!str_equal(p->home, home) || !str_starts_with(p->mailbox, mailbox))
        return false;
    *rest = str_skip(p->mailbox, mailbox.n);
    return rest->n == 0 || (below && rest->p[0] == '/');
}

static void follow_rename(struct following *f, struct place *p, const struct place_facts *x,
                          struct str rest, uint64_t position)
{
    struct str name = arena_printf(f->arena, "%.*s%.*s", STR_ARG(x->names.to), STR_ARG(rest));
    uint32_t uid = p->uid;
    p->to = position;
    add_place(f, x->to_home, false, name, uid, position + 1);
}

static void follow_rename_back(struct following *f, size_t index, const struct place_facts *x,
                               struct str rest, uint64_t position)
{
    struct str name = arena_printf(f->arena, "%.*s%.*s", STR_ARG(x->names.mailbox), STR_ARG(rest));
    size_t count = f->place_count;
    f->places[index].from = position + 1;
    add_place(f, x->home, false, name, f->places[index].uid, 0);
    if (f->place_count > count)
        f->places[count].to = position;
}

/* One place and one event. True: it is part of the story. */
static bool meet(struct following *f, size_t index, const struct place_facts *x, uint64_t position)
{
    struct place *p = &f->places[index];
    struct str rest;
    if (x->kind == PLACE_TRANSFERS && is_in(p, x->to_home, x->names.to, false, &rest)) {
        int64_t at = uids_find(x->to_uids, p->uid);
        if (at >= 0 && (p->from == 0 || p->from == position)) {
            p->from = position;
            add_place(f, x->home, false, x->names.mailbox, uids_at(x->uids, at), 0);
            return true;
        }
    }
    if (!is_within(p, position))
        return false;
    if (x->kind == PLACE_RENAMES && p->from == 0 &&
        is_in(p, x->to_home, x->names.to, true, &rest)) {
        follow_rename_back(f, index, x, rest, position);
        return true;
    }
    if (x->kind == PLACE_RENAMES) {
        bool in = is_in(p, x->home, x->names.mailbox, true, &rest);
        if (in && p->from != position + 1)
            follow_rename(f, p, x, rest, position);
        return in;
    }
    if (!is_in(p, x->home, x->names.mailbox, false, &rest))
        return false;
    int64_t at = uids_find(x->uids, p->uid);
    if (x->of_mailbox)
        p->to = position;
    if (at < 0)
        return x->of_mailbox;
    if (x->kind == PLACE_BRINGS && p->from == 0)
        p->from = position;
    if (x->kind == PLACE_ENDS || x->is_move)
        p->to = position;
    if (x->kind == PLACE_TRANSFERS)
        add_place(f, x->to_home, false, x->names.to, uids_at(x->to_uids, at), position);
    return true;
}

static bool is_about_places(struct following *f, const struct trace_event *event)
{
    struct place_facts x;
    bool is = false;
    if (f->place_count == 0 || !take_facts(f, event, &x))
        return false;
    size_t count = f->place_count; /* those that are added are met in the next round */
    for (size_t i = 0; i < count; i++)
        is |= meet(f, i, &x, event->position);
    if (is && x.kind == PLACE_BRINGS && event_is(event, "delivery"))
        add_id(f, event->id, ID_MESSAGE);
    return is;
}

/* --- ids --- */

/* Where the line of a message leads. */
static void follow_links(struct following *f, const struct trace_event *event)
{
    struct place_names names;
    uint32_t uid;
    add_id(f, field_get(event->text, "of"), ID_MESSAGE);
    add_id(f, field_get(event->text, "as"), ID_MESSAGE);
    if (event_is(event, "report"))
        add_id(f, field_get(event->text, "report"), ID_MESSAGE);
    if (event_is(event, "accepted"))
        add_id(f, field_get(event->text, "session"), ID_CONNECTION);
    if (event_is(event, "delivery") && place_of(event->text, &names) &&
        str_to_u32(field_get(event->text, "uid"), &uid))
        add_place(f, names.account, names.is_public, names.mailbox, uid, event->position);
}

/* Does another message's line name one that is known? */
static bool names_known(struct following *f, const struct trace_event *event)
{
    static const char *const keys[] = {"of", "as", "report", "session"};
    if (!event_is(event, "queued") && !event_is(event, "resent") && !event_is(event, "report") &&
        !event_is(event, "accepted"))
        return false;
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        struct str id = field_get(event->text, keys[i]);
        const struct known_id *known = id.p ? find_id(f, id) : NULL;
        if (known && known->kind != ID_CONNECTION)
            return true;
    }
    return false;
}

/* A connection has no such lines: what was asked for is a message. */
static bool is_of_message(const struct trace_event *event)
{
    static const char *const words[] = {"accepted", "queued", "delivery", "report",
                                        "resent",   "notice", "removed"};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (event_is(event, words[i]))
            return true;
    return false;
}

static bool is_about_ids(struct following *f, const struct trace_event *event)
{
    struct known_id *known = event->id.n > 0 ? find_id(f, event->id) : NULL;
    if (known && known->kind == ID_CONNECTION_ASKED && is_of_message(event))
        known->kind = ID_MESSAGE;
    if (known && known->kind != ID_MESSAGE)
        return true;
    if (!known && !names_known(f, event))
        return false;
    if (!known)
        add_id(f, event->id, ID_MESSAGE);
    follow_links(f, event);
    return true;
}

/* --- events --- */

/* Room for one at the place that its position gives it; NULL: it is there already. Events come
 * nearly in order. */
static struct story_event *make_room(struct following *f, uint64_t position)
{
    size_t at = f->event_count;
    while (at > 0 && f->events[at - 1].position > position)
        at--;
    if (at > 0 && f->events[at - 1].position == position)
        return NULL;
    if (f->event_count == STORY_EVENTS_MAX) {
        f->cut = true;
        return NULL;
    }
    f->events = mem_grow(f->events, f->event_count, &f->event_room, sizeof(*f->events), 64);
    memmove(&f->events[at + 1], &f->events[at], (f->event_count - at) * sizeof(*f->events));
    f->event_count++;
    return &f->events[at];
}

static void add_event(struct following *f, const struct trace_event *event)
{
    bool fits = arena_size(f->arena) < STORY_BYTES_MAX;
    struct story_event *to = fits ? make_room(f, event->position) : NULL;
    f->cut = f->cut || !fits;
    if (!to)
        return;
    *to = (struct story_event){.when = event->when,
                               .begin = event->when,
                               .level = event->level,
                               .component = arena_str(f->arena, event->component),
                               .id = arena_str(f->arena, event->id),
                               .text = arena_str(f->arena, event->text),
                               .position = event->position};
}

static bool see_event(void *arg, const struct trace_event *event)
{
    struct following *f = arg;
    bool of_ids = is_about_ids(f, event), of_places = is_about_places(f, event);
    if (of_ids || of_places)
        add_event(f, event);
    return true;
}

/* --- rounds --- */

static void add_term(struct arena *a, struct str *terms, size_t *count, struct place *p)
{
    for (size_t n = p->mailbox.n; n > 0; n--) /* with those above it, which may be renamed */
        if ((n == p->mailbox.n || p->mailbox.p[n] == '/') &&
            *count < STORY_IDS_MAX + 4 * STORY_PLACES_MAX)
            terms[(*count)++] =
                arena_printf(a, "%.*s\n%.*s", STR_ARG(p->home), (int)n, p->mailbox.p);
}

static bool search_round(struct following *f, struct story_answer *answer, struct err *e)
{
    struct arena *a = arena_new();
    struct trace_scanned scanned = {0};
    struct str *terms = arena_array(a, STORY_IDS_MAX + 4 * STORY_PLACES_MAX, sizeof(*terms));
    struct trace_query q = {
        .dir = f->request->dir, .terms = terms, .deadline = f->request->deadline};
    for (size_t i = 0; i < f->id_count; i++)
        if (!f->ids[i].searched) {
            terms[q.term_count++] = f->ids[i].id;
            f->ids[i].searched = true;
        }
    for (size_t i = 0; i < f->place_count; i++)
        if (!f->places[i].searched) {
            add_term(a, terms, &q.term_count, &f->places[i]);
            f->places[i].searched = true;
        }
    f->changed = false;
    bool ok = q.term_count == 0 || trace_search(&q, see_event, f, &scanned, e);
    f->late = f->late || scanned.late;
    if (scanned.damaged > answer->damaged)
        answer->damaged = scanned.damaged;
    arena_free(a);
    return ok;
}

/* That a message was accepted is said last, when the client is told; people expect it where the
 * message began. */
static usec begin_of(const struct story_event *e)
{
    struct trace_event event = {.text = e->text};
    struct str seconds = event_is(&event, "accepted") ? field_get(e->text, "delay") : STR("");
    struct str whole = str_split(&seconds, '.');
    uint64_t s = 0, ms = 0;
    str_to_u64(whole, &s);
    str_to_u64(str_head(seconds, 3), &ms);
    for (size_t n = seconds.n; n > 0 && n < 3; n++)
        ms *= 10;
    return s < 1000000 ? e->when - (usec)s * USEC_SEC - (usec)ms * USEC_MSEC : e->when;
}

static void put_arrivals_first(struct story *story)
{
    for (size_t i = 0; i < story->count; i++) {
        struct story_event event = story->events[i];
        struct trace_event plain = {.text = event.text};
        size_t at = i;
        if (!event_is(&plain, "accepted"))
            continue;
        event.begin = begin_of(&event);
        while (at > 0 && (story->events[at - 1].when > event.begin ||
                          str_equal(story->events[at - 1].id, event.id)))
            at--;
        memmove(&story->events[at + 1], &story->events[at], (i - at) * sizeof(event));
        story->events[at] = event;
    }
}

bool story_follow(const struct story_request *r, struct str id, struct arena *a,
                  struct story *story, struct story_answer *answer, struct err *e)
{
    struct following *f = MEM_NEW(struct following);
    bool ok = true;
    f->request = r;
    f->arena = a;
    if (id.n > 0) {
        add_id(f, id, ID_CONNECTION_ASKED);
    } else {
        struct str name = r->mailbox;
        bool is_public = str_starts_with(name, STR(":public:"));
        add_place(f, r->what, is_public, is_public ? str_skip(name, 8) : name, r->uid, 0);
    }
    f->changed = true;
    for (int round = 0; ok && f->changed && !f->late; round++) {
        if (round == STORY_ROUNDS_MAX) {
            f->cut = true;
            break;
        }
        ok = search_round(f, answer, e);
    }
    story->id = id;
    story->events = arena_array(a, f->event_count + 1, sizeof(*story->events));
    if (f->event_count > 0)
        memcpy(story->events, f->events, f->event_count * sizeof(*story->events));
    story->count = f->event_count;
    put_arrivals_first(story);
    story->cut = f->cut;
    answer->late = answer->late || f->late;
    free(f->events);
    free(f);
    return ok;
}
