/*
 * A question is about one message - an id, a message-id, a place in a mailbox - or about an address
 * of many. For many a list is made: the newest messages in whose lines the address stands, found
 * from the end of the store backwards, and what became of each from a second look at their ids.
 */
#include "trace/story.h"

#include "core/random.h"
#include "trace/field.h"
#include "trace/limits.h"
#include "trace/story_private.h"
#include "trace/term.h"

#include "core/buf.h"

#define ID_LENGTH (ID_SIZE - 1)

bool story_is_id(struct str what)
{
    if (what.n != ID_LENGTH)
        return false;
    for (size_t i = 0; i < what.n; i++)
        if (!((what.p[i] >= '0' && what.p[i] <= '9') || (what.p[i] >= 'a' && what.p[i] <= 'z')))
            return false;
    return true;
}

/* --- the list --- */

/* Of a list that a user asked for. */
enum own_row { OWN_SENT = 1, OWN_RECEIVED = 2 };

struct listing {
    const struct story_request *request;
    struct arena *arena;
    struct story_answer *answer;
    size_t most;
    bool by_message_id; /* all of them have it */
    unsigned char *own; /* enum own_row, by row */
};

static bool is_of_mail(const struct trace_event *event)
{
    static const char *const words[] = {"accepted", "delivery", "refused",  "queued",   "resent",
                                        "copy",     "report",   "given up", "rewritten"};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (event_is(event, words[i]))
            return event->id.n > 0;
    return false;
}

/* Does it stand in a field of the line? */
static bool has_value(struct str text, struct str what, bool *message_id)
{
    struct field f;
    while (field_next(&text, &f)) {
        if (!str_equal_nocase(f.value, what))
            continue;
        *message_id = str_equal(f.key, STR("message-id"));
        return true;
    }
    return false;
}

static struct story_summary *find_row(struct listing *l, struct str id)
{
    for (size_t i = 0; i < l->answer->list_count; i++)
        if (str_equal(l->answer->list[i].id, id))
            return &l->answer->list[i];
    return NULL;
}

/* Rows are kept newest first, and the oldest falls out. */
static void add_row(struct listing *l, const struct trace_event *event)
{
    struct story_answer *x = l->answer;
    size_t at = x->list_count;
    while (at > 0 && x->list[at - 1].position < event->position)
        at--;
    if (x->list_count == l->most) {
        x->more = true;
        if (at == x->list_count)
            return;
        x->list_count--;
    }
    memmove(&x->list[at + 1], &x->list[at], (x->list_count - at) * sizeof(*x->list));
    x->list[at] = (struct story_summary){
        .id = arena_str(l->arena, event->id), .when = event->when, .position = event->position};
    x->list_count++;
}

/* Blocks come newest first: behind the last row by more than a block there is nothing newer. */
static bool is_behind(const struct listing *l, uint64_t position)
{
    const struct story_answer *x = l->answer;
    return x->list_count == l->most &&
           position + 4 * TRACE_BLOCK_MAX < x->list[x->list_count - 1].position;
}

static bool see_mention(void *arg, const struct trace_event *event)
{
    struct listing *l = arg;
    bool message_id = false;
    if (is_behind(l, event->position)) {
        l->answer->more = true;
        return false;
    }
    if (is_of_mail(event) && has_value(event->text, l->request->what, &message_id) &&
        !find_row(l, event->id)) {
        add_row(l, event);
        l->by_message_id |= message_id;
    }
    return true;
}

static void set_text(struct listing *l, struct str *to, struct str text, const char *key)
{
    struct str value = field_get(text, key);
    if (value.p)
        *to = arena_str(l->arena, value);
}

static bool fill_row(void *arg, const struct trace_event *event)
{
    struct listing *l = arg;
    struct story_summary *row = event->id.n > 0 ? find_row(l, event->id) : NULL;
    struct place_names names;
    struct str user = l->request->user;
    if (!row)
        return true;
    unsigned char *own = &l->own[row - l->answer->list];
    if (event_is(event, "accepted") || event_is(event, "queued") || event_is(event, "refused")) {
        bool same = event_is(event, "queued") && row->from.p;
        if (!same)
            set_text(l, &row->from, event->text, "from");
        set_text(l, &row->to, event->text, "to");
        set_text(l, &row->message_id, event->text, "message-id");
        str_to_u64(field_get(event->text, "size"), &row->size);
        str_to_u64(field_get(event->text, "recipients"), &row->recipients);
        row->when = event->when;
        if (!row->status.p || event_is(event, "refused"))
            row->status = event_is(event, "refused")  ? STR("refused")
                          : event_is(event, "queued") ? STR("queued")
                                                      : STR("accepted");
        if (user.n > 0 && str_equal_nocase(field_get(event->text, "user"), user))
            *own |= OWN_SENT;
    } else if (event_is(event, "delivery")) {
        set_text(l, &row->status, event->text, "status");
        if (!row->to.p)
            set_text(l, &row->to, event->text, "to");
        if (user.n > 0 && place_of(event->text, &names) && !names.is_public &&
            str_equal_nocase(names.account, user))
            *own |= OWN_RECEIVED;
    }
    return true;
}

static void keep_own_rows(struct listing *l)
{
    struct story_answer *x = l->answer;
    size_t count = 0;
    for (size_t i = 0; i < x->list_count; i++) {
        struct story_summary row = x->list[i];
        if (l->own[i] == OWN_RECEIVED) { /* the other recipients may be hidden from him */
            row.to = l->request->user;
            row.recipients = 1;
            row.status = STR("sent");
        }
        if (l->own[i])
            x->list[count++] = row;
    }
    x->list_count = count;
}

static bool make_list(struct listing *l, struct err *e)
{
    const struct story_request *r = l->request;
    struct story_answer *x = l->answer;
    struct trace_query q = {.dir = r->dir,
                            .from = r->from,
                            .to = r->to,
                            .terms = &r->what,
                            .term_count = 1,
                            .newest_first = true,
                            .deadline = r->deadline};
    struct trace_scanned scanned;
    x->list = arena_array(l->arena, l->most + 2, sizeof(*x->list));
    if (!trace_search(&q, see_mention, l, &scanned, e))
        return false;
    x->damaged = scanned.damaged;
    x->late = scanned.late;
    if (x->list_count == 0)
        return true;
    struct str *ids = arena_array(l->arena, x->list_count, sizeof(*ids));
    for (size_t i = 0; i < x->list_count; i++)
        ids[i] = x->list[i].id;
    l->own = arena_array(l->arena, x->list_count + 1, sizeof(*l->own));
    q = (struct trace_query){
        .dir = r->dir, .terms = ids, .term_count = x->list_count, .deadline = r->deadline};
    if (!trace_search(&q, fill_row, l, &scanned, e))
        return false;
    x->late |= scanned.late;
    if (r->user.n > 0)
        keep_own_rows(l);
    return true;
}

/* --- the answer --- */

static bool tell(const struct story_request *r, struct str id, struct arena *a,
                 struct story_answer *x, struct err *e)
{
    struct story *story = &x->stories[x->story_count];
    if (!story_follow(r, id, a, story, x, e))
        return false;
    if (story->count > 0 && (r->user.n == 0 || story_keep_own(story, r->user, a)))
        x->story_count++;
    return true;
}

/* Has one of the stories the message already? */
static bool is_told(const struct story_answer *x, struct str id)
{
    for (size_t i = 0; i < x->story_count; i++)
        for (size_t k = 0; k < x->stories[i].count; k++)
            if (str_equal(x->stories[i].events[k].id, id))
                return true;
    return false;
}

bool story_find(const struct story_request *r, struct arena *a, struct story_answer *x,
                struct err *e)
{
    struct listing l = {.request = r, .arena = a, .answer = x};
    *x = (struct story_answer){0};
    l.most = r->most == 0 || r->most > STORY_MESSAGES_MAX ? STORY_MESSAGES_MAX : r->most;
    if (r->mailbox.n > 0 || story_is_id(r->what)) {
        x->stories = arena_array(a, 1, sizeof(*x->stories));
        return tell(r, r->mailbox.n > 0 ? STR("") : r->what, a, x, e);
    }
    if (!make_list(&l, e))
        return false;
    if (x->list_count != 1 && !l.by_message_id && !r->all)
        return true;
    x->stories = arena_array(a, x->list_count + 1, sizeof(*x->stories));
    for (size_t i = 0; i < x->list_count && !x->late && arena_size(a) < STORY_BYTES_MAX; i++)
        if (!is_told(x, x->list[i].id) && !tell(r, x->list[i].id, a, x, e))
            return false;
    x->list_count = 0;
    return true;
}
