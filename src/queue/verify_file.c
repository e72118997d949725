/*
 * The file of what is known about addresses (core/kept_file.h): entries, longest unused first.
 */
#include "core/log.h"
#include "queue/verify_internal.h"

#define FILE_MAX ((size_t)4 * 1024 * 1024 * 1024)

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

static void encode(const void *arg, struct buf *out)
{
    const struct verify *v = arg;
    lru_each_oldest(v->entries, encode_entry, out);
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

static bool decode(void *arg, struct str bytes)
{
    struct verify *v = arg;
    struct reader in = {.p = bytes.p, .n = bytes.n};
    while (in.n > 0)
        if (!decode_entry(v, &in))
            return false;
    return true;
}

static void not_kept(const struct err *e)
{
    log_warning("verify", NULL, "verdicts not kept: %s", e->text);
}

const struct kept_file_form verify_file_form = {
    .magic = 0x5651444du, /* "MDQV" */
    .version = 1,
    .size_max = FILE_MAX,
    .interval = VERIFY_SAVE_INTERVAL,
    .fiber = "saving recipients",
    .encode = encode,
    .decode = decode,
    .not_kept = not_kept,
};

SUSPENDS void verify_keep(struct verify *v, const char *path)
{
    struct err e;
    if (kept_file_open(&v->file, v->queue->context.loop, path, &e))
        return;
    if (e.kind == ERR_SYNTAX)
        log_warning("verify", NULL,
                    "verdicts damaged file=<%s>: recipients will be asked for again", path);
    else
        log_warning("verify", NULL, "verdicts not loaded: %s", e.text);
}
