/*
 * A table of keys, hashed with a secret since senders choose them, in one pass over the messages
 * that a filter finds. A message with very many recipients is looked at in slices as well; it is
 * held meanwhile, and what changes under way is counted as it is when it is looked at.
 */
#include "queue/tally.h"

#include "core/mem.h"
#include "core/random.h"
#include "queue/destination_key.h"
#include "queue/filter.h"
#include "queue/item.h"
#include "queue/message.h"

#include <stdlib.h>

#define TALLY_KEYS_MAX   50000
#define TALLY_KEY_BYTES  120
#define RECIPIENTS_SLICE 1000

const unsigned tally_ages[TALLY_AGES - 1] = {5, 10, 20, 40, 80, 160, 320, 640, 1280};

struct tally {
    const struct queue_filter *filter;
    enum tally_by by;
    struct arena *keys;
    uint64_t secret;
    struct tally_row *rows; /* [0]: the others */
    size_t count, room;
    uint32_t *places; /* hash table of indices of rows; 0: free */
    size_t place_count;
    struct tally_row total;
};

static const char *const names[] = {
    [TALLY_BY_DESTINATION] = "destination",
    [TALLY_BY_ROUTE] = "route",
    [TALLY_BY_REASON] = "reason",
    [TALLY_BY_SENDER] = "sender",
    [TALLY_BY_SENDER_DOMAIN] = "sender-domain",
    [TALLY_BY_LOGIN] = "login",
};

bool tally_by_find(struct str name, enum tally_by *by)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (str_equal(name, str_from_c(names[i]))) {
            *by = (enum tally_by)i;
            return true;
        }
    return false;
}

struct tally *tally_new(const struct queue_filter *f, enum tally_by by)
{
    struct tally *t = MEM_NEW(struct tally);
    t->filter = f;
    t->by = by;
    t->keys = arena_new();
    random_bytes(&t->secret, sizeof(t->secret));
    t->room = 64;
    t->rows = mem_array(t->room, sizeof(*t->rows));
    t->rows[0].key = STR("(others)");
    t->count = 1;
    t->place_count = 256;
    t->places = mem_array(t->place_count, sizeof(*t->places));
    return t;
}

void tally_free(struct tally *t)
{
    arena_free(t->keys);
    free(t->rows);
    free(t->places);
    free(t);
}

/* --- the table --- */

static uint64_t hash(const struct tally *t, struct str key)
{
    uint64_t h = t->secret;
    for (size_t i = 0; i < key.n; i++)
        h = (h ^ (unsigned char)key.p[i]) * 0x100000001b3u + (h >> 29);
    return h ^ (h >> 32);
}

static uint32_t *place_of(const struct tally *t, struct str key)
{
    size_t at = hash(t, key) % t->place_count;
    while (t->places[at] && !str_equal(t->rows[t->places[at]].key, key))
        at = (at + 1) % t->place_count;
    return &t->places[at];
}

static void grow(struct tally *t)
{
    if (t->count == t->room) {
        t->rows = mem_resize(t->rows, 2 * t->room * sizeof(*t->rows));
        t->room *= 2;
    }
    if (2 * t->count < t->place_count)
        return;
    free(t->places);
    t->place_count *= 4;
    t->places = mem_array(t->place_count, sizeof(*t->places));
    for (uint32_t i = 1; i < t->count; i++)
        *place_of(t, t->rows[i].key) = i;
}

static struct tally_row *row_of(struct tally *t, struct str key)
{
    char lower[TALLY_KEY_BYTES];
    key = str_head(key, sizeof(lower));
    for (size_t i = 0; i < key.n; i++)
        lower[i] = t->by == TALLY_BY_REASON ? key.p[i] : char_lower(key.p[i]);
    key = str_from(lower, key.n);
    uint32_t *place = place_of(t, key);
    if (*place)
        return &t->rows[*place];
    if (t->count > TALLY_KEYS_MAX)
        return &t->rows[0];
    *place = (uint32_t)t->count;
    uint32_t index = *place;
    grow(t);
    t->rows[index] = (struct tally_row){.key = arena_str(t->keys, key)};
    t->count++;
    return &t->rows[index];
}

/* --- reasons --- */

static void add_word(struct buf *out, struct str word, bool code)
{
    if (str_find_char(word, '@') >= 0) {
        buf_add_c(out, "<...>");
        return;
    }
    bool in_number = false;
    for (size_t i = 0; i < word.n; i++) {
        bool digit = word.p[i] >= '0' && word.p[i] <= '9';
        if (!digit || code)
            buf_add_char(out, word.p[i]);
        else if (!in_number)
            buf_add_char(out, '#');
        in_number = digit && !code;
    }
}

static bool is_code(struct str word)
{
    for (size_t i = 0; i < word.n; i++)
        if ((word.p[i] < '0' || word.p[i] > '9') && word.p[i] != '.')
            return false;
    return word.n >= 3;
}

void tally_reason(struct buf *out, struct str text)
{
    struct str word;
    size_t codes = 0, start = out->n;
    for (size_t n = 0; (word = str_word(&text)).p && out->n - start < TALLY_KEY_BYTES; n++) {
        bool code = codes == n && n < 2 && is_code(word);
        codes += code;
        if (n > 0)
            buf_add_char(out, ' ');
        add_word(out, word, code);
    }
}

/* --- counting --- */

static size_t age_bucket(usec age)
{
    size_t i = 0;
    while (i < TALLY_AGES - 1 && age >= tally_ages[i] * 60 * USEC_SEC)
        i++;
    return i;
}

static void add_to(struct tally_row *row, size_t bucket, uint64_t bytes)
{
    row->count++;
    row->bytes += bytes;
    row->ages[bucket]++;
}

static void add(struct tally *t, const struct queue_message *m, struct str key)
{
    size_t bucket = age_bucket(clock_wall() - m->arrival);
    add_to(row_of(t, key), bucket, m->size_crlf);
    add_to(&t->total, bucket, m->size_crlf);
}

static void add_route(struct tally *t, const struct queue_message *m,
                      const struct queue_recipient *r)
{
    struct arena *a = arena_new();
    struct str rule = destination_key_rule(item_destination(m, r, a));
    add(t, m, rule.n ? rule : STR("(none)"));
    arena_free(a);
}

static void add_recipient(struct tally *t, const struct queue_message *m,
                          const struct queue_recipient *r)
{
    struct buf reason = BUF_EMPTY;
    if (recipient_is_done(r) || !filter_matches_recipient(t->filter, r))
        return;
    if (t->by == TALLY_BY_DESTINATION) {
        add(t, m, str_after_last(recipient_address(r), '@'));
    } else if (t->by == TALLY_BY_ROUTE) {
        add_route(t, m, r);
    } else if (recipient_error(r).n > 0) {
        tally_reason(&reason, recipient_error(r));
        add(t, m, buf_str(&reason));
        buf_free(&reason);
    }
}

SUSPENDS static void add_recipients(struct tally *t, struct queue_message *m)
{
    message_hold(m);
    for (size_t i = 0; i < m->recipient_count && !m->deleted; i++) {
        add_recipient(t, m, &m->recipients[i]);
        if (i % RECIPIENTS_SLICE == RECIPIENTS_SLICE - 1)
            fiber_yield();
    }
    message_release(m);
}

SUSPENDS static void add_message(struct tally *t, struct queue_message *m)
{
    struct str sender = m->sender.n ? m->sender : STR("<>");
    switch (t->by) {
    case TALLY_BY_DESTINATION:
    case TALLY_BY_ROUTE:
    case TALLY_BY_REASON:
        add_recipients(t, m);
        return;
    case TALLY_BY_SENDER:
        add(t, m, sender);
        return;
    case TALLY_BY_SENDER_DOMAIN:
        add(t, m, m->sender.n ? str_after_last(sender, '@') : sender);
        return;
    case TALLY_BY_LOGIN:
        add(t, m, m->login.n ? m->login : STR("(none)"));
        return;
    }
}

SUSPENDS bool tally_run(struct tally *t, struct queue *q,
                        SUSPENDS bool (*breathe)(void *arg, uint64_t done, uint64_t of,
                                                 struct err *e),
                        void *arg, struct err *e)
{
    char id[ID_SIZE];
    bool ok = true;
    struct queue_walk *w = queue_walk_begin(q, t->filter);
    while (ok && queue_walk_next(w, id)) {
        struct queue_message *m = message_find(q, str_from_c(id));
        uint64_t done, of;
        if (m)
            add_message(t, m);
        queue_walk_progress(w, &done, &of);
        ok = breathe(arg, done, of, e);
    }
    queue_walk_end(w);
    return ok;
}

static int compare(const void *a, const void *b)
{
    const struct tally_row *x = a, *y = b;
    int order = (x->count < y->count) - (x->count > y->count);
    return order ? order : str_compare(x->key, y->key);
}

void tally_rows(struct tally *t, struct tally_row **rows, size_t *count)
{
    size_t first = t->rows[0].count ? 0 : 1;
    *rows = t->rows + first;
    *count = t->count - first;
    if (*count)
        qsort(*rows, *count, sizeof(**rows), compare);
}

const struct tally_row *tally_total(const struct tally *t)
{
    return &t->total;
}
