/*
 * PEM files for TLS. They are read through core/disk and parsed from memory, so an error can name
 * the file and say whether reading or understanding it failed.
 */
#include "net/tls_private.h"

#include "core/buf.h"
#include "core/disk.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#define TLS_FILE_MAX (4 * 1024 * 1024) /* a bundle of all public authorities has 250 KB */

bool tls_error(struct err *e, const char *path, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    if (!reason)
        return err_set(e, ERR_PERM, "%s: %s", path, what);
    return err_set(e, ERR_PERM, "%s: %s (%s)", path, what, reason);
}

static BIO *open_pem(const char *path, struct buf *content, struct err *e)
{
    ERR_clear_error();
    if (!disk_read_file(path, TLS_FILE_MAX, content, e)) {
        if (e)
            e->kind = ERR_PERM;
        return NULL;
    }
    BIO *bio = BIO_new_mem_buf(content->n > 0 ? content->p : "", (int)content->n);
    if (!bio)
        tls_error(e, path, "no memory");
    return bio;
}

static void close_pem(BIO *bio, struct buf *content)
{
    BIO_free(bio);
    if (content->p)
        OPENSSL_cleanse(content->p, content->n);
    buf_free(content);
}

bool tls_with_pem(const char *path,
                  bool (*use)(void *arg, BIO *bio, const char *path, struct err *e), void *arg,
                  struct err *e)
{
    struct buf content = BUF_EMPTY;
    BIO *bio = open_pem(path, &content, e);
    bool ok = bio && use(arg, bio, path, e);
    close_pem(bio, &content);
    return ok;
}

bool tls_pem_at_end(void)
{
    unsigned long code = ERR_peek_last_error();
    bool end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
    if (end)
        ERR_clear_error();
    return end;
}
