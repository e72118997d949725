/*
 * The body is read twice, to look and to convert (mime/downgrade.h); the converted copy is a spool
 * of its own for as long as this attempt takes. Nothing of it is kept: with another server the
 * message may go as it is.
 */
#include "smtp/client_downgrade.h"

#include "core/random.h"
#include "mime/downgrade.h"

#define BLOCK ((size_t)64 * 1024)

struct conversion {
    const struct transport_message *m;
    struct mime_downgrade *downgrade;
    struct spool *copy;
    struct buf block, converted;
};

SUSPENDS static bool read_block(struct conversion *x, uint64_t at, struct str *bytes, struct err *e)
{
    size_t got;
    buf_clear(&x->block);
    char *p = buf_reserve(&x->block, BLOCK);
    if (!spool_read_at(x->m->body, p, BLOCK, at, &got, e))
        return false;
    *bytes = str_from(p, got);
    return true;
}

SUSPENDS static bool look(struct conversion *x, struct err *e)
{
    struct str bytes = STR("-");
    for (uint64_t at = 0; bytes.n > 0; at += bytes.n) {
        if (!read_block(x, at, &bytes, e))
            return false;
        mime_downgrade_look(x->downgrade, bytes);
    }
    return true;
}

SUSPENDS static bool write_converted(struct conversion *x, struct err *e)
{
    bool ok = spool_write(x->copy, buf_str(&x->converted), e);
    buf_clear(&x->converted);
    return ok;
}

SUSPENDS static bool convert(struct conversion *x, struct err *e)
{
    struct str bytes = STR("-");
    for (uint64_t at = 0; bytes.n > 0; at += bytes.n) {
        if (!read_block(x, at, &bytes, e))
            return false;
        mime_downgrade_write(x->downgrade, bytes, &x->converted);
        if (!write_converted(x, e))
            return false;
    }
    mime_downgrade_write_end(x->downgrade, &x->converted);
    return write_converted(x, e);
}

static struct spool *new_copy(const struct transport_message *m)
{
    char id[ID_SIZE];
    random_id(id);
    return spool_new(m->spool_dir, id);
}

/* False: *e when the disk failed, else *problem. */
SUSPENDS static bool make_copy(struct conversion *x, const char **problem, struct err *e)
{
    if (!look(x, e))
        return false;
    *problem = mime_downgrade_decide(x->downgrade);
    if (*problem)
        return false;
    if (!mime_downgrade_is_needed(x->downgrade)) {
        x->copy = spool_ref(x->m->body);
        return true;
    }
    x->copy = new_copy(x->m);
    return convert(x, e);
}

/* With CRLF; of the prefix, what m->size_crlf holds beside the body. */
SUSPENDS static bool measure(const struct transport_message *m, struct spool *copy, uint64_t *size,
                             struct err *e)
{
    *size = m->size_crlf;
    if (copy == m->body)
        return true;
    if (!spool_count_lines(m->body, e))
        return false;
    *size -= spool_size(m->body) + spool_lines(m->body);
    *size += spool_size(copy) + spool_lines(copy);
    return true;
}

SUSPENDS bool client_downgrade(const struct transport_message *m, struct spool **body,
                               uint64_t *size_crlf, struct client_failure *f)
{
    struct conversion x = {.m = m, .downgrade = mime_downgrade_new()};
    struct err e = {.kind = ERR_NONE};
    const char *problem = NULL;
    bool ok = make_copy(&x, &problem, &e) && measure(m, x.copy, size_crlf, &e);
    if (problem)
        client_failure_set(
            f, true, "5.6.3",
            "the server cannot take 8-bit text (8BITMIME), and the message cannot be "
            "converted: %s",
            problem);
    else if (!ok)
        client_failure_set(f, false, "4.3.0", "the message cannot be converted now");
    *body = ok ? x.copy : NULL;
    if (!ok)
        spool_unref(x.copy);
    mime_downgrade_free(x.downgrade);
    buf_free(&x.block);
    buf_free(&x.converted);
    return ok;
}
