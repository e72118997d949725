/*
 * The file of what is known about addresses: magic, version, checksum of what follows, entries,
 * longest unused first. It is replaced as a whole. A crash loses the last minutes of it.
 */
#include "core/file.h"
#include "core/log.h"
#include "core/loop.h"
#include "queue/verify_internal.h"

#define FILE_MAGIC   0x5651444du /* "MDQV" */
#define FILE_VERSION 1
#define FILE_MAX     ((size_t)4 * 1024 * 1024 * 1024)

static void encode_entry(void *arg, const void *value)
{
    struct buf *out = arg;
    const struct verify_entry *e = value;
    if (e->verdict == PROBE_UNKNOWN)
        return;
    buf_add_counted(out, verify_entry_key(e));
    buf_add_u8(out, (uint8_t)e->verdict);
    buf_add_u64(out, (uint64_t)e->checked);
    buf_add_u64(out, (uint64_t)e->refresh);
    buf_add_u64(out, (uint64_t)e->expires);
    buf_add_counted(out, str_from_c(e->status));
    buf_add_counted(out, e->text);
}

void verify_encode(const struct verify *v, struct buf *out)
{
    struct buf entries = BUF_EMPTY;
    lru_each_oldest(v->entries, encode_entry, &entries);
    buf_add_u32(out, FILE_MAGIC);
    buf_add_u16(out, FILE_VERSION);
    buf_add_u64(out, str_hash(buf_str(&entries)));
    buf_add_str(out, buf_str(&entries));
    buf_free(&entries);
}

static bool decode_entry(struct verify *v, struct reader *in)
{
    struct str key = read_counted(in);
    uint8_t verdict = read_u8(in);
    usec checked = (usec)read_u64(in), refresh = (usec)read_u64(in), expires = (usec)read_u64(in);
    struct str status = read_counted(in), text = read_counted(in);
    if (in->bad || str_find_char(key, '@') < 0 || status.n >= PROBE_STATUS_SIZE ||
        (verdict != PROBE_ACCEPTED && verdict != PROBE_REFUSED))
        return false;
    struct verify_entry *e = verify_entry_get(v, key);
    if (!e)
        return false;
    char code[PROBE_STATUS_SIZE] = "";
    memcpy(code, status.p, status.n);
    e->verdict = (enum probe_verdict)verdict;
    e->checked = checked;
    e->refresh = refresh;
    e->expires = expires;
    verify_entry_set_texts(e, code, text);
    return true;
}

bool verify_decode(struct verify *v, struct str bytes)
{
    struct reader in = {.p = bytes.p, .n = bytes.n};
    uint32_t magic = read_u32(&in);
    uint16_t version = read_u16(&in);
    uint64_t checksum = read_u64(&in);
    if (in.bad || magic != FILE_MAGIC || version != FILE_VERSION ||
        checksum != str_hash(str_from(in.p, in.n)))
        return false;
    while (in.n > 0)
        if (!decode_entry(v, &in))
            return false;
    return true;
}

SUSPENDS void verify_load(struct verify *v)
{
    struct buf bytes = BUF_EMPTY;
    struct err e;
    if (!v->path)
        return;
    if (!file_read_all(v->path, FILE_MAX, &bytes, &e)) {
        if (e.kind != ERR_NOT_FOUND)
            log_warning("verify", NULL, "verdicts not loaded: %s", e.text);
    } else if (!verify_decode(v, buf_str(&bytes))) {
        log_warning("verify", NULL,
                    "verdicts damaged file=<%s>: recipients will be asked for again", v->path);
    }
    buf_free(&bytes);
}

SUSPENDS void verify_save(struct verify *v)
{
    struct buf bytes = BUF_EMPTY;
    struct err e;
    if (!v->path || !v->changed)
        return;
    v->changed = false;
    verify_encode(v, &bytes);
    if (!file_replace(v->path, buf_str(&bytes), 0600, &e))
        log_warning("verify", NULL, "verdicts not kept: %s", e.text);
    buf_free(&bytes);
}

static void save_fiber(void *arg)
{
    struct verify *v = arg;
    verify_save(v);
    v->saving = false;
    cond_broadcast(&v->ended);
}

static void save_now(void *arg)
{
    struct verify *v = arg;
    v->saving = fiber_start(v->queue->context.loop, "saving recipients", save_fiber, v) != NULL;
}

void verify_save_later(struct verify *v)
{
    v->changed = true;
    if (v->path && !timer_is_set(&v->save_timer) && !v->stopping)
        timer_set(&v->save_timer, deadline_in(VERIFY_SAVE_INTERVAL), save_now, v);
}
