/*
 * Only leaves have bytes of their own to encode; multiparts and messages that called themselves
 * binary hold nothing binary any more and become 8bit (RFC 2045 6.4 allows no base64 for them). All
 * else passes as it is.
 */
#include "mime/unbinary.h"

#include "core/mem.h"
#include "mime/recode.h"
#include "mime/walker.h"

#include <stdlib.h>

struct mime_unbinary {
    struct mime_walker *walker;
    struct buf *out;
    bool encoding; /* the present body */
    struct base64_writer base64;
};

static void take_header(void *arg, struct str block, const struct mime_part *part, bool composite,
                        unsigned depth)
{
    struct mime_unbinary *u = arg;
    bool binary = str_equal_nocase(part->encoding, STR("binary"));
    (void)depth;
    u->encoding = binary && !composite;
    u->base64 = (struct base64_writer){.eol = "\r\n"};
    if (binary)
        recode_header(u->out, block, composite ? "8bit" : "base64", "\r\n");
    else
        buf_add_str(u->out, block);
}

static void take_body(void *arg, struct str bytes)
{
    struct mime_unbinary *u = arg;
    if (u->encoding)
        base64_write(&u->base64, u->out, bytes);
    else
        buf_add_str(u->out, bytes);
}

static void end_body(void *arg)
{
    struct mime_unbinary *u = arg;
    if (u->encoding)
        base64_write_end(&u->base64, u->out);
    u->encoding = false;
}

static void take_text(void *arg, struct str bytes)
{
    struct mime_unbinary *u = arg;
    buf_add_str(u->out, bytes);
}

struct mime_unbinary *mime_unbinary_new(void)
{
    struct mime_unbinary *u = MEM_NEW(struct mime_unbinary);
    u->walker = mime_walker_new(
        &(struct mime_walker_target){take_header, take_body, end_body, take_text, u});
    return u;
}

void mime_unbinary_free(struct mime_unbinary *u)
{
    if (!u)
        return;
    mime_walker_free(u->walker);
    free(u);
}

void mime_unbinary_feed(struct mime_unbinary *u, struct str wire, struct buf *out)
{
    u->out = out;
    mime_walker_feed(u->walker, wire);
}

bool mime_unbinary_end(struct mime_unbinary *u, struct buf *out)
{
    u->out = out;
    mime_walker_end(u->walker);
    return !mime_walker_is_lost(u->walker);
}
