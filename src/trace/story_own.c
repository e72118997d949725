/*
 * What users may see who ask for themselves. Of a message that they sent: what became of it for the
 * addresses that they wrote to, but not who is behind one of these, whose mailbox it came to, what
 * was done there, and which hidden copies there are. Of one that came to their mailbox: that it was
 * accepted, from whom, and their own delivery, but none of the other recipients, who may have been
 * hidden from them. Of mailboxes: their own. Everything else is left out.
 */
#include "trace/story_private.h"

#include "core/buf.h"
#include "trace/field.h"
#include "trace/term.h"

#define OTHERS_MAX 64

struct own {
    struct str user, home;
    struct arena *arena;
    struct str sent[OTHERS_MAX], received[OTHERS_MAX], copies[OTHERS_MAX];
    size_t sent_count, received_count, copy_count;
};

static bool is_in(const struct str *list, size_t count, struct str id)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(list[i], id))
            return true;
    return false;
}

static struct trace_event plain(const struct story_event *event)
{
    return (struct trace_event){.text = event->text, .id = event->id};
}

static bool is_of_user(const struct own *o, struct str text)
{
    struct place_names names;
    struct buf home = BUF_EMPTY;
    if (!place_of(text, &names) || names.is_public)
        return false;
    place_add_home(&home, names.account, false);
    bool is = str_equal(buf_str(&home), o->home);
    buf_free(&home);
    return is;
}

static void look_for_own(struct own *o, const struct story_event *e)
{
    struct trace_event event = plain(e);
    if (event_is(&event, "accepted") && str_equal_nocase(field_get(e->text, "user"), o->user)) {
        if (o->sent_count < OTHERS_MAX)
            o->sent[o->sent_count++] = e->id;
        struct str session = field_get(e->text, "session");
        if (session.n > 0 && o->sent_count < OTHERS_MAX)
            o->sent[o->sent_count++] = session;
    } else if (event_is(&event, "copy") && o->copy_count < OTHERS_MAX) {
        o->copies[o->copy_count++] = field_get(e->text, "to");
    } else if (event_is(&event, "delivery") && is_of_user(o, e->text) &&
               o->received_count < OTHERS_MAX) {
        o->received[o->received_count++] = e->id;
    }
}

/* The text without the fields of these keys. */
static struct str without(struct arena *a, struct str text, const char *const *keys)
{
    struct buf out = BUF_EMPTY;
    struct str rest = text;
    struct field f;
    const char *from = text.p, *end = text.p + text.n;
    while (field_next(&rest, &f)) {
        const char *begin = f.value.p - (f.form != FIELD_BARE) - (f.key.n > 0 ? f.key.n + 1 : 0);
        bool drop = false;
        for (size_t i = 0; keys[i]; i++)
            drop |= str_equal(f.key, str_from_c(keys[i]));
        if (!drop)
            continue;
        buf_add(&out, from, (size_t)(begin - from));
        from = f.value.p + f.value.n + (f.form != FIELD_BARE);
        from += from < end && *from == ' ';
    }
    if (from < end)
        buf_add(&out, from, (size_t)(end - from));
    struct str copy = arena_str(a, str_trim(buf_str(&out)));
    buf_free(&out);
    return copy;
}

/* Who wrote to an address hears of that one alone, as from the reports that he gets. */
static bool keep_sent_delivery(const struct own *o, struct story_event *e)
{
    static const char *const place_keys[] = {"account", "mailbox", "uid", NULL};
    struct str to = field_get(e->text, "to"), original = field_get(e->text, "original");
    if (is_in(o->copies, o->copy_count, to) || is_in(o->copies, o->copy_count, original))
        return false;
    if (is_of_user(o, e->text))
        return true;
    e->text = original.n > 0
                  ? arena_printf(o->arena, "delivery to=<%.*s> status=%.*s", STR_ARG(original),
                                 STR_ARG(field_get(e->text, "status")))
                  : without(o->arena, e->text, place_keys);
    return true;
}

static bool keep_sent(const struct own *o, struct story_event *e)
{
    static const char *const kept[] = {"accepted", "refused", "given up", "queued",
                                       "report",   "removed", "login",    "logout"};
    struct trace_event event = plain(e);
    if (event_is(&event, "delivery"))
        return keep_sent_delivery(o, e);
    for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
        if (event_is(&event, kept[i]))
            return true;
    return false;
}

static bool keep(const struct own *o, struct story_event *e)
{
    static const char *const others_keys[] = {"to",   "recipients", "original",
                                              "user", "session",    NULL};
    struct trace_event event = plain(e);
    struct place_names names;
    bool delivery = event_is(&event, "delivery"), of_user = is_of_user(o, e->text);
    if (is_in(o->sent, o->sent_count, e->id))
        return keep_sent(o, e);
    if (is_in(o->received, o->received_count, e->id)) {
        if (event_is(&event, "accepted") || event_is(&event, "queued"))
            e->text = without(o->arena, e->text, others_keys);
        else
            return delivery && of_user;
        return true;
    }
    return !delivery && place_of(e->text, &names) && of_user;
}

bool story_keep_own(struct story *story, struct str user, struct arena *a)
{
    struct own *o = ARENA_NEW(a, struct own);
    struct buf home = BUF_EMPTY;
    size_t count = 0;
    o->user = user;
    o->arena = a;
    place_add_home(&home, user, false);
    o->home = arena_str(a, buf_str(&home));
    buf_free(&home);
    for (size_t i = 0; i < story->count; i++)
        look_for_own(o, &story->events[i]);
    for (size_t i = 0; i < story->count; i++)
        if (keep(o, &story->events[i]))
            story->events[count++] = story->events[i];
    story->count = count;
    return count > 0;
}
