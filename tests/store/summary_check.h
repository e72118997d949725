#pragma once
/*
 * What a summary says must be what the message's bytes say: for the unit test and for fuzzing.
 */
#include "mime/header.h"
#include "store/summary.h"

#include <stdlib.h>

static inline void summary_must(bool truth)
{
    if (!truth)
        abort();
}

static inline void summary_check_extent(const struct summary_extent *e, const struct mime_part *p)
{
    summary_must(e->header_start == p->header_start && e->header_end == p->header_end &&
                 e->body_end == p->body_end && e->header_lf == p->header_lf &&
                 e->body_lf == p->body_lf);
}

/* All paths up to a depth, with numbers that exist and some that do not. */
static inline void summary_check_paths(struct str parts, const struct mime_part *root,
                                       unsigned *path, size_t length)
{
    struct summary_part found;
    const struct mime_part *part = mime_find_part(root, path, length);

    summary_must(summary_part_find(parts, path, length, &found) == (part != NULL));
    if (part) {
        summary_check_extent(&found.at, part);
        summary_must(found.is_message == part->is_message &&
                     str_equal(found.encoding, part->encoding));
        if (part->is_message)
            summary_check_extent(&found.inner, part->children);
    }
    if (length == 4 || !part)
        return;
    for (path[length] = 0; path[length] < 5; path[length]++)
        summary_check_paths(parts, root, path, length + 1);
}

/* The kept fields are the same in the summary and in the message. */
static inline void summary_check_header(struct str kept, struct str block)
{
    struct header_field a, b;

    while (header_next(&block, &a)) {
        if (!summary_keeps_header(a.name))
            continue;
        summary_must(header_next(&kept, &b) && str_equal(a.whole, b.whole) &&
                     str_equal(a.name, b.name) && str_equal(a.value, b.value));
    }
    summary_must(!header_next(&kept, &b));
}

/* The message has at most SCAN_HEADER_MAX bytes of header. */
static inline void summary_check(const struct message_summary *s, struct str message)
{
    struct arena *a = arena_new();
    struct buf text = BUF_EMPTY;
    unsigned path[5];
    struct str block = str_head(message, (size_t)s->header_size);
    struct mime_part *root = mime_parse(a, message, &mime_limits_default, false);

    header_write_envelope(&text, block);
    summary_must(str_equal(s->envelope, buf_str(&text)));
    buf_clear(&text);
    mime_write_bodystructure(&text, root, message, true);
    summary_must(str_equal(s->structure, buf_str(&text)));
    summary_check_header(s->header, block);
    summary_check_paths(s->parts, root, path, 0);
    summary_must(str_is_utf8(s->preview) && s->preview.n <= 4 * 200 &&
                 str_find_char(s->preview, '\n') < 0);
    buf_free(&text);
    arena_free(a);
}
