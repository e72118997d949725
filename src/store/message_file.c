/*
 * Names of message files in memory. Nearly all names are a base and an info that follows from the
 * flags, so only the base is kept. The others ("raw": info missing in cur/, unknown letters, an
 * unusual order) are kept as they are, with room for all letters, so that they can change in place.
 */
#include "store/message_file.h"

#include "core/mem.h"
#include "store/limits.h"
#include "store/maildir_name.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_CHUNK 1024
#define CHUNK_MAX   (64 * 1024)

struct pool_chunk {
    struct pool_chunk *older;
    size_t size, used;
    _Alignas(4) char bytes[];
};

static size_t round_up(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

static void *pool_take(struct file_pool *p, size_t n)
{
    struct pool_chunk *c = p->newest;

    n = round_up(n);
    if (!c || c->size - c->used < n) {
        size_t size = c ? c->size * 2 : FIRST_CHUNK;
        if (size > CHUNK_MAX)
            size = CHUNK_MAX;
        if (size < n)
            size = n;
        c = mem_alloc(sizeof(*c) + size);
        *c = (struct pool_chunk){.older = p->newest, .size = size};
        p->newest = c;
    }
    void *at = c->bytes + c->used;
    c->used += n;
    return at;
}

void file_pool_free(struct file_pool *p)
{
    while (p->newest) {
        struct pool_chunk *c = p->newest;
        p->newest = c->older;
        free(c);
    }
}

char *file_pool_adopt(struct file_pool *p, const char *bytes, size_t n)
{
    char *at = pool_take(p, n);
    memcpy(at, bytes, n);
    return at;
}

/* Behind the newest chunk, which still has room. */
void file_pool_join(struct file_pool *p, struct file_pool *from)
{
    struct pool_chunk **to = p->newest ? &p->newest->older : &p->newest, **end = &from->newest;

    while (*end)
        end = &(*end)->older;
    *end = *to;
    *to = from->newest;
    from->newest = NULL;
}

static char *text_of(struct message_file *f)
{
    size_t skip = f->extra ? 2 + ((uint8_t)f->bytes[0] | (size_t)(uint8_t)f->bytes[1] << 8) : 0;
    return f->bytes + skip;
}

struct str message_file_name(const struct message_file *f)
{
    return str_from(text_of((struct message_file *)f), f->length);
}

struct message_file *message_file_make(struct file_pool *p, const struct message_file *like,
                                       struct str name, struct str extra)
{
    if (extra.n > UINT16_MAX)
        extra.n = 0;
    assert(name.n <= FILE_NAME_MAX && like->base_length <= name.n);
    struct message_file *f = pool_take(p, sizeof(*f) + name.n + (like->raw ? MAILDIR_INFO_MAX : 0) +
                                              (extra.n > 0 ? 2 + extra.n : 0));
    *f = *like;
    f->extra = extra.n > 0;
    f->length = (uint8_t)name.n;
    if (extra.n > 0) {
        f->bytes[0] = (char)extra.n;
        f->bytes[1] = (char)(extra.n >> 8);
        memcpy(f->bytes + 2, extra.p, extra.n);
    }
    memcpy(text_of(f), name.p, name.n);
    return f;
}

size_t message_file_size(const struct message_file *f)
{
    size_t skip = (size_t)(text_of((struct message_file *)f) - f->bytes);
    return round_up(sizeof(*f) + skip + f->length + (f->raw ? MAILDIR_INFO_MAX : 0));
}

/* Without what is behind the name: it was never written. */
void message_file_dump(char *to, const struct message_file *f)
{
    size_t used = (size_t)(text_of((struct message_file *)f) - (const char *)f) + f->length;

    memcpy(to, f, used);
    memset(to + used, 0, message_file_size(f) - used);
}

size_t message_file_check(const char *bytes, size_t n)
{
    const struct message_file *f = (const struct message_file *)bytes;

    if (n < sizeof(*f) || (f->extra && n < sizeof(*f) + 2))
        return 0;
    size_t size = message_file_size(f);
    struct str base, info;
    if (size > n || f->length == 0 || f->base_length == 0 || f->base_length > f->length ||
        f->place > FILE_TMP || (!f->raw && f->base_length != f->length) ||
        f->keywords >> KEYWORD_LETTERS)
        return 0;
    struct str name = message_file_name(f);
    maildir_name_split(name, &base, &info);
    return base.n == f->base_length && !memchr(name.p, '/', name.n) && !memchr(name.p, 0, name.n) &&
                   name.p[0] != '.'
               ? size
               : 0;
}

struct message_file *message_file_new(struct file_pool *p, enum file_place place, struct str name,
                                      struct str extra)
{
    struct message_file like = {.place = place};
    struct str base, info;
    uint8_t flags;
    uint32_t keywords;

    maildir_name_split(name, &base, &info);
    bool canonical = maildir_info_parse(info, &flags, &keywords);
    like.raw = place == FILE_CUR ? !canonical : info.n > 0;
    like.flags = flags;
    like.keywords = keywords;
    like.base_length = (uint8_t)base.n;
    return message_file_make(p, &like, like.raw ? name : base, extra);
}

struct str message_file_base(const struct message_file *f)
{
    return str_head(message_file_name(f), f->base_length);
}

struct str message_file_extra(const struct message_file *f)
{
    size_t skip = (size_t)(text_of((struct message_file *)f) - f->bytes);
    return skip > 2 ? str_from(f->bytes + 2, skip - 2) : STR("");
}

void file_path_add(struct buf *b, enum file_place place, struct str name)
{
    buf_add(b, place == FILE_NEW ? "new/" : place == FILE_CUR ? "cur/" : "tmp/", 4);
    buf_add_str(b, name);
}

void message_file_add_path(struct buf *b, const struct message_file *f)
{
    file_path_add(b, f->place, message_file_name(f));
    if (f->place == FILE_CUR && !f->raw) {
        char info[MAILDIR_INFO_MAX];
        buf_add(b, info, maildir_info_format(info, f->flags, f->keywords));
    }
}

const char *message_file_path(struct buf *b, const char *dir, const struct message_file *f)
{
    buf_clear(b);
    buf_printf(b, "%s/", dir);
    message_file_add_path(b, f);
    return buf_c(b);
}

void message_file_add_new_path(struct buf *b, const struct message_file *f, uint8_t flags,
                               uint32_t keywords)
{
    struct str base = message_file_base(f);
    file_path_add(b, FILE_CUR, base);
    maildir_info_merge(b, f->raw ? str_skip(message_file_name(f), base.n) : STR(""), flags,
                       keywords);
}

void message_file_moved(struct message_file *f, uint8_t flags, uint32_t keywords)
{
    struct buf path = BUF_EMPTY;
    struct str base = message_file_base(f);

    if (f->raw) {
        uint8_t parsed;
        uint32_t letters;
        message_file_add_new_path(&path, f, flags, keywords);
        struct str name = str_skip(buf_str(&path), 4);
        f->raw = !maildir_info_parse(str_skip(name, base.n), &parsed, &letters);
        f->length = (uint8_t)(f->raw ? name.n : base.n);
        memcpy(text_of(f), name.p, f->length);
        buf_free(&path);
    }
    f->flags = flags;
    f->keywords = keywords;
    f->place = FILE_CUR;
}
