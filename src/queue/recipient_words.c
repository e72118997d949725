/*
 * The words of recipients, kept small: a queue may have a million of them.
 *
 * Addresses are written one behind the other into the room that message_set_recipients made, each
 * with its length in front; an original recipient that is the address itself, as nearly all are,
 * is not written. What a server said is mostly said of many recipients ("connection timed out"), so
 * it is kept once, with a count of those that refer to it, and found again in a tree (tsearch(3),
 * balanced: no server can choose words that make it slow).
 */
#include "queue/recipient_words.h"

#include "core/mem.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>

/* --- addresses --- */

static size_t word_size(struct str s)
{
    return sizeof(uint16_t) + s.n;
}

static struct str word_at(const char *p)
{
    uint16_t n;
    memcpy(&n, p, sizeof(n));
    return str_from(p + sizeof(n), n);
}

static char *word_put(char *at, struct str s)
{
    uint16_t n = (uint16_t)s.n;
    assert(s.n <= RECIPIENT_WORD_MAX);
    memcpy(at, &n, sizeof(n));
    if (n > 0)
        memcpy(at + sizeof(n), s.p, n);
    return at + sizeof(n) + n;
}

size_t recipient_words_size(const struct recipient_words *w)
{
    return word_size(w->address) +
           (str_equal(w->address, w->original) ? 0 : word_size(w->original)) +
           (w->requested.n > 0 ? word_size(w->requested) : 0) +
           (w->detail.n > 0 ? word_size(w->detail) : 0);
}

void recipient_set_words(struct queue_message *m, struct queue_recipient *r,
                         const struct recipient_words *w)
{
    r->words = m->words_end;
    r->own_original = !str_equal(w->address, w->original);
    r->has_requested = w->requested.n > 0;
    r->has_detail = w->detail.n > 0;
    m->words_end = word_put(m->words_end, w->address);
    if (r->own_original)
        m->words_end = word_put(m->words_end, w->original);
    if (r->has_requested)
        m->words_end = word_put(m->words_end, w->requested);
    if (r->has_detail)
        m->words_end = word_put(m->words_end, w->detail);
}

struct str recipient_address_word(const struct queue_recipient *r)
{
    return word_at(r->words);
}

struct str recipient_host(const struct queue_recipient *r)
{
    struct str word = word_at(r->words);
    ptrdiff_t blank = r->kind == RECIPIENT_HOST ? str_find_char(word, ' ') : -1;
    return blank > 0 ? str_head(word, (size_t)blank) : STR("");
}

struct str recipient_address(const struct queue_recipient *r)
{
    struct str host = recipient_host(r);
    return host.n > 0 ? str_skip(word_at(r->words), host.n + 1) : word_at(r->words);
}

static struct str word_behind(struct str word)
{
    return word_at(word.p + word.n);
}

struct str recipient_original(const struct queue_recipient *r)
{
    return r->own_original ? word_behind(word_at(r->words)) : recipient_address(r);
}

struct str recipient_requested(const struct queue_recipient *r)
{
    if (!r->has_requested)
        return STR("");
    struct str word = word_at(r->words);
    return word_behind(r->own_original ? word_behind(word) : word);
}

struct str recipient_detail(const struct queue_recipient *r)
{
    if (!r->has_detail)
        return STR("");
    struct str word = word_at(r->words);
    word = r->own_original ? word_behind(word) : word;
    return word_behind(r->has_requested ? word_behind(word) : word);
}

struct str recipient_mailbox(const struct queue_recipient *r)
{
    return r->kind == RECIPIENT_PUBLIC ? str_skip(word_at(r->words), STR(":public:").n) : STR("");
}

/* --- what was said --- */

struct said_words {
    uint32_t references;
    uint16_t error_n;
    uint8_t code_n, relay_n;
    const char *bytes; /* behind it; elsewhere in one that is looked for */
};

static size_t said_size(const struct said_words *w)
{
    return (size_t)w->error_n + w->code_n + w->relay_n;
}

static int compare_said(const void *a, const void *b)
{
    const struct said_words *x = a, *y = b;
    if (x->error_n != y->error_n)
        return x->error_n < y->error_n ? -1 : 1;
    if (x->code_n != y->code_n)
        return x->code_n < y->code_n ? -1 : 1;
    if (x->relay_n != y->relay_n)
        return x->relay_n < y->relay_n ? -1 : 1;
    return memcmp(x->bytes, y->bytes, said_size(x));
}

static struct said_words *said_copy(const struct said_words *wanted)
{
    size_t n = said_size(wanted);
    struct said_words *w = mem_alloc(sizeof(*w) + n);
    *w = *wanted;
    memcpy(w + 1, wanted->bytes, n);
    w->bytes = (const char *)(w + 1);
    return w;
}

static struct said_words *said_find(struct queue *q, const struct said_words *wanted)
{
    void *node = tfind(wanted, &q->said, compare_said);
    if (!node) {
        node = tsearch(said_copy(wanted), &q->said, compare_said);
        assert(node);
    }
    return *(struct said_words **)node;
}

struct said_words *said_ref(struct said_words *w)
{
    if (w)
        w->references++;
    return w;
}

void said_unref(struct queue *q, struct said_words *w)
{
    if (!w || --w->references > 0)
        return;
    tdelete(w, &q->said, compare_said);
    free(w);
}

void recipient_forget_said(struct queue_message *m, struct queue_recipient *r)
{
    struct said_words *w = r->said;
    r->said = NULL;
    said_unref(m->queue, w);
}

void recipient_set_said(struct queue_message *m, struct queue_recipient *r, struct str error,
                        struct str code, struct str relay)
{
    char bytes[QUEUE_ERROR_TEXT_MAX + 2 * UINT8_MAX];
    struct said_words wanted = {.references = 0, .bytes = bytes};
    error = str_head(error, QUEUE_ERROR_TEXT_MAX);
    code = str_head(code, UINT8_MAX);
    relay = str_head(relay, UINT8_MAX);
    wanted.error_n = (uint16_t)error.n;
    wanted.code_n = (uint8_t)code.n;
    wanted.relay_n = (uint8_t)relay.n;
    if (said_size(&wanted) == 0) {
        recipient_forget_said(m, r);
        return;
    }
    if (error.n > 0)
        memcpy(bytes, error.p, error.n);
    if (code.n > 0)
        memcpy(bytes + error.n, code.p, code.n);
    if (relay.n > 0)
        memcpy(bytes + error.n + code.n, relay.p, relay.n);
    struct said_words *w = said_find(m->queue, &wanted);
    w->references++; /* before the old ones go: the arguments may be in them */
    recipient_forget_said(m, r);
    r->said = w;
}

struct str recipient_error(const struct queue_recipient *r)
{
    return r->said ? str_from(r->said->bytes, r->said->error_n) : STR("");
}

struct str recipient_code(const struct queue_recipient *r)
{
    return r->said ? str_from(r->said->bytes + r->said->error_n, r->said->code_n) : STR("");
}

struct str recipient_relay(const struct queue_recipient *r)
{
    return r->said ? str_from(r->said->bytes + r->said->error_n + r->said->code_n, r->said->relay_n)
                   : STR("");
}
