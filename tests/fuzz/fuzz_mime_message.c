/*
 * Any bytes as a message: the tree has to be consistent, its structure good IMAP and the same
 * whether lines end in LF or CRLF, and decoding and searching have to survive.
 */
#include "core/buf.h"
#include "imap_syntax.h"
#include "mime/header.h"
#include "mime/search_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool truth)
{
    if (!truth)
        abort();
}

static void count(struct str message, size_t from, size_t to, size_t *lf, size_t *lines)
{
    *lf = *lines = 0;
    for (size_t i = from; i < to; i++) {
        if (message.p[i] != '\n')
            continue;
        ++*lines;
        *lf += i == 0 || message.p[i - 1] != '\r';
    }
}

static void check_part(const struct mime_part *part, struct str message,
                       const struct mime_part *root)
{
    size_t lf, lines;
    check(part->header_start <= part->header_end && part->header_end <= part->body_end &&
          part->body_end <= message.n);
    count(message, part->header_start, part->header_end, &lf, &lines);
    check(part->header_lf == lf);
    count(message, part->header_end, part->body_end, &lf, &lines);
    check(part->body_lf == lf && part->body_lines == lines);
    check(!part->is_message || part->child_count == 1);
    check(!(part->is_message && part->is_multipart));
    size_t at = part->header_end;
    unsigned children = 0;
    for (const struct mime_part *child = part->children; child; child = child->next) {
        check(child->parent == part && child->header_start >= at &&
              child->body_end <= part->body_end);
        at = child->body_end;
        children++;
        check_part(child, message, root);
        unsigned path[1] = {children};
        if (part == root && part->is_multipart)
            check(mime_find_part(root, path, 1) == child);
    }
    check(children == part->child_count);
    struct buf decoded = BUF_EMPTY;
    mime_decode_body(&decoded, part->encoding,
                     str_from(message.p + part->header_end, part->body_end - part->header_end));
    buf_free(&decoded);
}

static void structure(struct buf *out, struct str message, const struct mime_limits *limits,
                      bool extended)
{
    struct arena *a = arena_new();
    const struct mime_part *root = mime_parse(a, message, limits, extended);
    check(root->header_start == 0 && root->body_end == message.n);
    check_part(root, message, root);
    mime_write_bodystructure(out, root, message, extended);
    imap_check_list(buf_str(out));
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct mime_limits small = {2, 5, 200};
    struct str message = str_from((const char *)data, size);
    struct buf lf = BUF_EMPTY, crlf = BUF_EMPTY, other = BUF_EMPTY;
    structure(&lf, message, NULL, true);
    mime_add_crlf(&crlf, message, 0);
    structure(&other, buf_str(&crlf), NULL, true);
    check(size > 100000 || str_equal(buf_str(&lf), buf_str(&other)));
    buf_clear(&other);
    structure(&other, message, &small, false);

    struct arena *a = arena_new();
    const struct mime_part *root = mime_parse(a, message, NULL, false);
    const struct search_key *key = search_key_new(a, str_head(message, size % 20));
    search_key_in_message(key, root, message, true);
    search_key_in(key, message);
    arena_free(a);
    buf_free(&lf);
    buf_free(&crlf);
    buf_free(&other);
    return 0;
}
