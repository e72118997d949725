/*
 * A message's summary: the message is parsed once, and what clients ask for is written as they get
 * it. Everything here follows from the message's bytes alone, so a summary that was lost is built
 * again and says the same, object identifiers included:
 *
 *   hash    the first 160 bits of SHA-256 over the bytes (their beginning, see SCAN_LARGE_MAX) and
 *           their number
 *   thread  the same over the first message identifier of References, else of In-Reply-To, else of
 *           Message-ID, without its angle brackets; the hash when there is none
 *
 * The tree of parts is a list in the order in which they begin, each with its number of children,
 * its offsets relative to its own and variable-length numbers:
 *
 *   flags and encoding, [encoding as text], children, header start, header size, body size,
 *   bare LFs of the header, of the body
 */
#include "store/summary.h"

#include "core/log.h"
#include "mime/date.h"
#include "mime/header.h"
#include "mime/preview.h"
#include "store/limits.h"
#include "store/summary_record.h"

#include <openssl/evp.h>
#include <stdlib.h>

/* --- the fields that are kept --- */

/* By length. Those of the lists and of replies in Thunderbird, Apple Mail, Roundcube, mutt, K-9,
 * and of SORT, THREAD and ENVELOPE; long ones that only some ask for (DKIM-Signature, Received,
 * Authentication-Results) are left to the file. A change needs another SUMMARY_FILE_VERSION. */
static const struct str kept[] = {
    STR("To"),
    STR("Cc"),
    STR("Bcc"),
    STR("Date"),
    STR("From"),
    STR("Lines"),
    STR("Sender"),
    STR("X-Spam"),
    STR("Subject"),
    STR("List-Id"),
    STR("X-Label"),
    STR("Reply-To"),
    STR("Priority"),
    STR("List-Post"),
    STR("Message-ID"),
    STR("References"),
    STR("Importance"),
    STR("X-Priority"),
    STR("Newsgroups"),
    STR("Precedence"),
    STR("In-Reply-To"),
    STR("Return-Path"),
    STR("X-Spam-Flag"),
    STR("Content-Type"),
    STR("Mime-Version"),
    STR("Chat-Version"),
    STR("Delivered-To"),
    STR("X-Draft-Info"),
    STR("Mail-Reply-To"),
    STR("X-Original-To"),
    STR("Auto-Submitted"),
    STR("List-Subscribe"),
    STR("List-Unsubscribe"),
    STR("Mail-Followup-To"),
    STR("X-K9mail-Identity"),
    STR("Content-Description"),
    STR("Content-Disposition"),
    STR("Content-Transfer-Encoding"),
    STR("X-Uniform-Type-Identifier"),
    STR("Disposition-Notification-To"),
    STR("X-Universally-Unique-Identifier"),
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool summary_keeps_header(struct str name)
{
    for (size_t i = 0; i < COUNT(kept) && kept[i].n <= name.n; i++) {
        if (kept[i].n == name.n && char_lower(kept[i].p[0]) == char_lower(name.p[0]) &&
            str_equal_nocase(kept[i], name))
            return true;
    }
    return false;
}

/* --- identifiers --- */

/* One for both hashes of a summary: finding the algorithm takes OpenSSL longer than a short hash.
 */
static EVP_MD_CTX *hasher_new(void)
{
    EVP_MD_CTX *h = EVP_MD_CTX_new();

    if (!h || !EVP_DigestInit_ex(h, EVP_sha256(), NULL)) {
        log_error("store", NULL, "OpenSSL has no SHA-256");
        log_flush();
        abort();
    }
    return h;
}

/* What was added since the last time. */
static void hasher_take(EVP_MD_CTX *h, uint8_t hash[SUMMARY_HASH_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};

    EVP_DigestFinal_ex(h, digest, NULL);
    memcpy(hash, digest, SUMMARY_HASH_SIZE);
    EVP_DigestInit_ex(h, NULL, NULL);
}

static void hash_message(EVP_MD_CTX *h, struct str message, uint64_t size,
                         uint8_t hash[SUMMARY_HASH_SIZE])
{
    unsigned char number[8];

    for (size_t i = 0; i < sizeof(number); i++)
        number[i] = (unsigned char)(size >> 8 * i);
    EVP_DigestUpdate(h, message.p, message.n);
    EVP_DigestUpdate(h, number, sizeof(number));
    hasher_take(h, hash);
}

/* The first "<...>" without its brackets. */
static bool first_identifier(struct str value, struct str *id)
{
    ptrdiff_t start = str_find_char(value, '<');
    if (start < 0)
        return false;
    struct str rest = str_skip(value, (size_t)start + 1);
    ptrdiff_t end = str_find_char(rest, '>');
    *id = end > 0 ? str_trim(str_head(rest, (size_t)end)) : STR("");
    return id->n > 0;
}

/* --- the header --- */

struct header_values {
    struct str date, references, in_reply_to, message_id; /* p == NULL: none */
};

static void note_value(struct header_values *v, const struct header_field *f)
{
    struct str *place = str_equal_nocase(f->name, STR("Date"))          ? &v->date
                        : str_equal_nocase(f->name, STR("References"))  ? &v->references
                        : str_equal_nocase(f->name, STR("In-Reply-To")) ? &v->in_reply_to
                        : str_equal_nocase(f->name, STR("Message-ID"))  ? &v->message_id
                                                                        : NULL;
    if (place && !place->p)
        *place = f->value;
}

static void take_header(struct arena *a, struct str block, struct header_values *v,
                        struct message_summary *s)
{
    struct header_field field;
    struct str rest = block;
    size_t n = 0;
    char *copy = arena_alloc(a, block.n + 1);

    while (header_next(&rest, &field)) {
        if (!summary_keeps_header(field.name))
            continue;
        note_value(v, &field);
        memcpy(copy + n, field.whole.p, field.whole.n);
        n += field.whole.n;
    }
    s->header = str_from(copy, n);
}

static void set_identifiers(struct str message, uint64_t size, const struct header_values *v,
                            struct message_summary *s)
{
    EVP_MD_CTX *h = hasher_new();
    struct str id;

    hash_message(h, message, size, s->hash);
    if (first_identifier(v->references, &id) || first_identifier(v->in_reply_to, &id) ||
        first_identifier(v->message_id, &id)) {
        EVP_DigestUpdate(h, id.p, id.n);
        hasher_take(h, s->thread);
    } else {
        memcpy(s->thread, s->hash, SUMMARY_HASH_SIZE);
    }
    EVP_MD_CTX_free(h);
}

static void set_sent(const struct header_values *v, struct message_summary *s)
{
    int zone = 0;
    if (!v->date.p || !date_parse_header(v->date, &s->sent, &zone)) {
        s->sent = INT64_MIN;
        zone = 0;
    }
    s->sent_zone = zone;
}

/* --- parts --- */

enum part_flags { PART_MULTIPART = 1, PART_MESSAGE = 2, PART_HAS_PARTS = 4, ENCODING_SHIFT = 3 };

/* By code; 0: as text. */
static const struct str encodings[] = {
    STR(""), STR("7bit"), STR("8bit"), STR("binary"), STR("base64"), STR("quoted-printable"),
};

static unsigned encoding_code(struct str encoding)
{
    for (unsigned i = 1; i < COUNT(encodings); i++) {
        if (str_equal(encoding, encodings[i]))
            return i;
    }
    return 0;
}

static void write_part(struct buf *out, const struct mime_part *p)
{
    unsigned code = encoding_code(p->encoding);
    /* As mime_find_part sees it: a number may follow that of a multipart even if it has no parts.
     */
    bool has_parts = p->is_multipart || str_equal_nocase(p->type, STR("multipart"));

    buf_add_u8(out, (uint8_t)((p->is_multipart ? PART_MULTIPART : 0) |
                              (p->is_message ? PART_MESSAGE : 0) |
                              (has_parts ? PART_HAS_PARTS : 0) | code << ENCODING_SHIFT));
    if (code == 0)
        buf_add_counted(out, p->encoding);
    summary_add_number(out, p->child_count);
    summary_add_number(out, p->header_start);
    summary_add_number(out, p->header_end - p->header_start);
    summary_add_number(out, p->body_end - p->header_end);
    summary_add_number(out, p->header_lf);
    summary_add_number(out, p->body_lf);
}

/* All parts in the order in which they begin. */
static void write_parts(struct buf *out, const struct mime_part *p)
{
    while (p) {
        write_part(out, p);
        if (p->children) {
            p = p->children;
            continue;
        }
        while (p && !p->next)
            p = p->parent;
        p = p ? p->next : NULL;
    }
}

struct node {
    unsigned flags;
    uint64_t children;
    struct summary_extent at;
    struct str encoding;
};

static bool read_node(struct reader *r, struct node *n)
{
    n->flags = read_u8(r);
    unsigned code = n->flags >> ENCODING_SHIFT;
    n->encoding = code == 0                 ? read_counted(r)
                  : code < COUNT(encodings) ? encodings[code]
                                            : encodings[1];
    n->children = summary_read_number(r);
    n->at.header_start = summary_read_number(r);
    n->at.header_end = n->at.header_start + summary_read_number(r);
    n->at.body_end = n->at.header_end + summary_read_number(r);
    n->at.header_lf = summary_read_number(r);
    n->at.body_lf = summary_read_number(r);
    return !r->bad;
}

/* Moves to the child of that number of the node that was just read, and reads it. */
static bool read_child(struct reader *r, struct node *n, unsigned number)
{
    uint64_t skip = 0; /* nodes still to be passed over */

    if (number == 0 || number > n->children)
        return false;
    for (; number > 1; number--) {
        for (skip = 1; skip > 0; skip += n->children - 1) {
            if (!read_node(r, n) || n->children > r->n)
                return false;
        }
    }
    return read_node(r, n);
}

bool summary_part_find(struct str parts, const unsigned *path, size_t length,
                       struct summary_part *part)
{
    struct reader r = {.p = parts.p, .n = parts.n};
    struct node n;
    bool is_body = false;

    if (!read_node(&r, &n))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && n.flags & PART_MESSAGE) {
            if (!read_child(&r, &n, 1))
                return false;
        } else if (i > 0 && (is_body || !(n.flags & PART_HAS_PARTS))) {
            return false;
        }
        is_body = !(n.flags & PART_MULTIPART);
        if (is_body ? path[i] != 1 : !read_child(&r, &n, path[i]))
            return false;
    }
    *part = (struct summary_part){
        .at = n.at, .encoding = n.encoding, .is_message = n.flags & PART_MESSAGE};
    if (part->is_message && !read_child(&r, &n, 1))
        return false;
    if (part->is_message)
        part->inner = n.at;
    return true;
}

/* --- all together --- */

static struct str take(struct arena *a, struct buf *b)
{
    struct str s = arena_str(a, buf_str(b));
    buf_clear(b);
    return s;
}

void summary_build(struct arena *a, struct str message, uint64_t size, struct message_summary *s)
{
    struct buf out = BUF_EMPTY;
    struct header_values values = {0};
    size_t end = message.n;

    *s = (struct message_summary){0};
    header_find_end(message, NULL, &end);
    s->header_size = end;
    struct str block = str_head(message, end < SCAN_HEADER_MAX ? end : SCAN_HEADER_MAX);
    take_header(a, block, &values, s);
    set_identifiers(message, size, &values, s);
    set_sent(&values, s);
    buf_reserve(&out, 4096);
    header_write_envelope(&out, s->header); /* has all it needs, without the long ones */
    s->envelope = take(a, &out);
    struct mime_part *root = mime_parse(a, message, &mime_limits_default, false);
    mime_write_bodystructure(&out, root, message, true);
    s->structure = take(a, &out);
    write_parts(&out, root);
    s->parts = take(a, &out);
    mime_write_preview(&out, root, message);
    s->preview = take(a, &out);
    buf_free(&out);
}
