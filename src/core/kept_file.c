#include "core/kept_file.h"

#include "core/file.h"
#include "core/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- the form --- */

void kept_file_encode(const struct kept_file_form *form, const void *arg, struct buf *out)
{
    struct buf body = BUF_EMPTY;

    form->encode(arg, &body);
    buf_add_u32(out, form->magic);
    buf_add_u16(out, form->version);
    buf_add_u64(out, str_hash(buf_str(&body)));
    buf_add_str(out, buf_str(&body));
    buf_free(&body);
}

bool kept_file_decode(const struct kept_file_form *form, void *arg, struct str bytes)
{
    struct reader in = {.p = bytes.p, .n = bytes.n};
    uint32_t magic = read_u32(&in);
    uint16_t version = read_u16(&in);
    uint64_t checksum = read_u64(&in);
    struct str body = str_from(in.p, in.n);

    return !in.bad && magic == form->magic && version == form->version &&
           checksum == str_hash(body) && form->decode(arg, body);
}

/* --- reading --- */

SUSPENDS bool kept_file_open(struct kept_file *f, struct loop *l, const char *path, struct err *e)
{
    struct buf bytes = BUF_EMPTY;
    struct err error;

    f->loop = l;
    f->path = mem_dup(path, strlen(path));
    bool ok = file_read_all(path, f->form->size_max, &bytes, &error);
    if (ok)
        ok = kept_file_decode(f->form, f->arg, buf_str(&bytes)) ||
             err_set(&error, ERR_SYNTAX, "%s is damaged or of another version", path);
    else
        ok = error.kind == ERR_NOT_FOUND;
    buf_free(&bytes);
    if (!ok && e)
        *e = error;
    return ok;
}

/* --- writing --- */

static SUSPENDS void write_now(struct kept_file *f)
{
    struct buf bytes = BUF_EMPTY;
    struct err e;

    f->changed = false;
    kept_file_encode(f->form, f->arg, &bytes);
    if (!file_replace(f->path, buf_str(&bytes), 0600, &e)) {
        f->form->not_kept(&e);
        kept_file_changed(f);
    }
    buf_free(&bytes);
}

static void write_fiber(void *arg)
{
    struct kept_file *f = arg;

    write_now(f);
    f->writing = false;
    cond_broadcast(&f->written);
}

static void begin_writing(void *arg)
{
    struct kept_file *f = arg;

    /* A disk that hangs may have the last one still, or there is no room for a fiber: later. */
    if (f->writing || !fiber_start(f->loop, f->form->fiber, write_fiber, f))
        kept_file_changed(f);
    else
        f->writing = true;
}

void kept_file_changed(struct kept_file *f)
{
    f->changed = true;
    if (f->loop && !f->closed && !timer_is_set(&f->timer))
        timer_set(&f->timer, deadline_in(f->form->interval), begin_writing, f);
}

SUSPENDS void kept_file_close(struct kept_file *f)
{
    f->closed = true;
    timer_clear(&f->timer);
    while (f->writing)
        cond_wait_certain(&f->written);
    if (f->loop && f->changed)
        write_now(f);
}

void kept_file_free(struct kept_file *f)
{
    assert(!f->writing);
    timer_clear(&f->timer);
    free(f->path);
}
