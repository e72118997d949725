/*
 * A member is a header block of 512 bytes, its bytes, and zeros up to the next block; two blocks of
 * zeros end the archive. What does not fit into the header - a path over 100 bytes or not ASCII, a
 * size of 8 GB, a time before 1970 - stands in an extended header in front: a member of type "x"
 * with lines "LENGTH KEY=VALUE\n".
 *
 * Reading trusts nothing: sizes are bounded, the checksum is verified, and a file that is no
 * archive is told from one that is cut.
 */
#include "mailctl/tar.h"

#include <string.h>

#define BLOCK          512
#define SIZE_MAX_OCTAL UINT64_C(077777777777)

/* Offsets and lengths in the header. */
enum {
    NAME = 0,
    NAME_SIZE = 100,
    MODE = 100,
    UID = 108,
    GID = 116,
    ID_LENGTH = 8,
    SIZE = 124,
    MTIME = 136,
    NUMBER_LENGTH = 12,
    CHECKSUM = 148,
    CHECKSUM_LENGTH = 8,
    TYPE = 156,
    MAGIC = 257,
    PREFIX = 345,
    PREFIX_SIZE = 155,
};

static const char zeros[BLOCK];

static uint64_t padding_of(uint64_t size)
{
    return (BLOCK - size % BLOCK) % BLOCK;
}

/* --- writing --- */

/* n - 1 octal digits and a NUL. */
static void put_octal(char *field, size_t n, uint64_t value)
{
    field[n - 1] = '\0';
    for (size_t i = n - 1; i-- > 0; value >>= 3)
        field[i] = (char)('0' + (value & 7));
}

static unsigned checksum_of(const char *block)
{
    unsigned sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= CHECKSUM && i < CHECKSUM + CHECKSUM_LENGTH ? ' ' : (unsigned char)block[i];
    return sum;
}

static bool write_header(struct tar_writer *w, struct str path, char type, uint64_t size,
                         int64_t modified, struct err *e)
{
    char block[BLOCK] = {0};
    uint64_t time = modified > 0 ? (uint64_t)modified : 0;
    memcpy(block + NAME, path.p, path.n < NAME_SIZE ? path.n : NAME_SIZE);
    put_octal(block + MODE, ID_LENGTH, type == '5' ? 0700 : 0600);
    put_octal(block + UID, ID_LENGTH, 0);
    put_octal(block + GID, ID_LENGTH, 0);
    put_octal(block + SIZE, NUMBER_LENGTH, size <= SIZE_MAX_OCTAL ? size : 0);
    put_octal(block + MTIME, NUMBER_LENGTH, time <= SIZE_MAX_OCTAL ? time : 0);
    block[TYPE] = type;
    memcpy(block + MAGIC, "ustar\00000", 8);
    put_octal(block + CHECKSUM, CHECKSUM_LENGTH - 1, checksum_of(block));
    block[CHECKSUM + CHECKSUM_LENGTH - 1] = ' ';
    return w->to.write(w->to.arg, block, BLOCK, e);
}

/* "LENGTH KEY=VALUE\n", where the length counts its own digits. */
static void add_record(struct buf *b, const char *key, struct str value)
{
    size_t rest = strlen(key) + value.n + 3, digits = 1;
    for (size_t most = 10; rest + digits >= most; most *= 10)
        digits++;
    buf_printf(b, "%zu %s=", rest + digits, key);
    buf_add_str(b, value);
    buf_add_char(b, '\n');
}

static void add_number(struct buf *b, const char *key, int64_t value)
{
    struct buf text = BUF_EMPTY;
    buf_printf(&text, "%lld", (long long)value);
    add_record(b, key, buf_str(&text));
    buf_free(&text);
}

static bool write_extended(struct tar_writer *w, struct str records, struct err *e)
{
    return write_header(w, STR("PaxHeader"), 'x', records.n, 0, e) &&
           w->to.write(w->to.arg, records.p, records.n, e) &&
           w->to.write(w->to.arg, zeros, (size_t)padding_of(records.n), e);
}

bool tar_write_member(struct tar_writer *w, const struct tar_member *m, struct err *e)
{
    struct buf path = BUF_EMPTY, records = BUF_EMPTY;
    buf_add_str(&path, m->path);
    if (m->directory)
        buf_add_char(&path, '/');
    if (path.n > NAME_SIZE || !str_is_ascii(m->path))
        add_record(&records, "path", buf_str(&path));
    if (m->size > SIZE_MAX_OCTAL)
        add_number(&records, "size", (int64_t)m->size);
    if (m->modified < 0 || (uint64_t)m->modified > SIZE_MAX_OCTAL)
        add_number(&records, "mtime", m->modified);
    bool ok = (records.n == 0 || write_extended(w, buf_str(&records), e)) &&
              write_header(w, buf_str(&path), m->directory ? '5' : '0', m->size, m->modified, e);
    w->left = m->size;
    w->padding = padding_of(m->size);
    buf_free(&path);
    buf_free(&records);
    return ok;
}

bool tar_write(struct tar_writer *w, struct str bytes, struct err *e)
{
    size_t n = bytes.n < w->left ? bytes.n : (size_t)w->left;
    w->left -= n;
    return n == 0 || w->to.write(w->to.arg, bytes.p, n, e);
}

bool tar_end_member(struct tar_writer *w, uint64_t *short_by, struct err *e)
{
    *short_by = w->left;
    for (uint64_t left = w->left + w->padding; left > 0;) {
        size_t n = left < BLOCK ? (size_t)left : BLOCK;
        if (!w->to.write(w->to.arg, zeros, n, e))
            return false;
        left -= n;
    }
    w->left = w->padding = 0;
    return true;
}

bool tar_end(struct tar_writer *w, struct err *e)
{
    return w->to.write(w->to.arg, zeros, BLOCK, e) && w->to.write(w->to.arg, zeros, BLOCK, e);
}

/* --- reading --- */

static bool cut(struct err *e)
{
    return err_set(e, ERR_SYNTAX, "the archive is cut off");
}

/* *got < n only at the end. */
static bool read_some(struct tar_reader *r, char *p, size_t n, size_t *got, struct err *e)
{
    size_t piece = 1;
    for (*got = 0; *got < n && piece > 0; *got += piece)
        if (!r->from.read(r->from.arg, p + *got, n - *got, &piece, e))
            return false;
    return true;
}

bool tar_skip(struct tar_reader *r, struct err *e)
{
    char block[BLOCK * 8];
    if (r->from.skip && r->left + r->padding > 0) {
        if (!r->from.skip(r->from.arg, r->left + r->padding, e))
            return false;
        r->left = r->padding = 0;
        return true;
    }
    for (uint64_t left = r->left + r->padding; left > 0;) {
        size_t n = left < sizeof(block) ? (size_t)left : sizeof(block), got;
        if (!read_some(r, block, n, &got, e))
            return false;
        if (got < n)
            return cut(e);
        left -= n;
    }
    r->left = r->padding = 0;
    return true;
}

/* Octal digits, or binary when the first bit is set (GNU). */
static bool take_number(const char *field, size_t n, uint64_t *value)
{
    size_t i = 0;
    *value = 0;
    if (field[0] & 0x80) {
        *value = (unsigned char)field[0] & 0x3f;
        for (i = 1; i < n; i++) {
            if (*value >> 55)
                return false;
            *value = *value << 8 | (unsigned char)field[i];
        }
        return !(field[0] & 0x40);
    }
    while (i < n && field[i] == ' ')
        i++;
    for (; i < n && field[i] >= '0' && field[i] <= '7'; i++)
        *value = *value << 3 | (uint64_t)(field[i] - '0');
    return i == n || field[i] == ' ' || field[i] == '\0';
}

static struct str text_field(const char *field, size_t n)
{
    return str_from(field, strnlen(field, n));
}

static bool read_block(struct tar_reader *r, char *block, bool *end, struct err *e)
{
    uint64_t sum;
    size_t got;
    *end = false;
    if (!read_some(r, block, BLOCK, &got, e))
        return false;
    if (got == 0 && r->started)
        return cut(e);
    if (got < BLOCK)
        return r->started ? cut(e) : err_set(e, ERR_SYNTAX, "this is no tar archive");
    if (memcmp(block, zeros, BLOCK) == 0) {
        *end = true;
        return true;
    }
    if (!take_number(block + CHECKSUM, CHECKSUM_LENGTH, &sum) || sum != checksum_of(block))
        return err_set(e, ERR_SYNTAX,
                       r->started ? "the archive is damaged"
                                  : "this is no tar archive; one that is compressed goes through "
                                    "a pipe: zstd -dc FILE | mailctl restore USER -");
    r->started = true;
    return true;
}

/* The bytes of the member into r->header. */
static bool read_whole(struct tar_reader *r, uint64_t size, struct err *e)
{
    size_t got;
    buf_clear(&r->header);
    if (size > TAR_HEADER_MAX)
        return err_set(e, ERR_SYNTAX, "the archive is damaged: a header of %llu bytes",
                       (unsigned long long)size);
    if (!read_some(r, buf_reserve(&r->header, (size_t)size + 1), (size_t)size, &got, e))
        return false;
    r->header.n = got;
    r->left = 0;
    r->padding = padding_of(size);
    return got == size ? tar_skip(r, e) : cut(e);
}

struct extended {
    bool has_size, has_modified;
    uint64_t size;
    int64_t modified;
};

static void take_record(struct tar_reader *r, struct extended *x, struct str key, struct str value)
{
    uint64_t number;
    if (str_equal(key, STR("path"))) {
        buf_clear(&r->path);
        buf_add_str(&r->path, value);
    } else if (str_equal(key, STR("size")) && str_to_u64(value, &number)) {
        x->has_size = true;
        x->size = number;
    } else if (str_equal(key, STR("mtime"))) {
        bool minus = value.n > 0 && value.p[0] == '-';
        struct str whole = str_skip(value, minus), seconds = str_split(&whole, '.');
        x->has_modified = str_to_u64(seconds, &number) && number < INT64_MAX;
        x->modified = x->has_modified ? (minus ? -(int64_t)number : (int64_t)number) : 0;
    }
}

static bool take_records(struct tar_reader *r, struct extended *x, struct err *e)
{
    struct str rest = buf_str(&r->header);
    while (rest.n > 0) {
        struct str record = rest;
        uint64_t length;
        struct str number = str_split(&record, ' ');
        if (!record.p || !str_to_u64(number, &length) || length <= number.n + 1 ||
            length > rest.n || rest.p[length - 1] != '\n')
            return err_set(e, ERR_SYNTAX, "the archive is damaged: an extended header");
        record = str_head(record, (size_t)length - number.n - 2);
        struct str key = str_split(&record, '=');
        if (record.p)
            take_record(r, x, key, record);
        rest = str_skip(rest, (size_t)length);
    }
    return true;
}

static void take_path(struct tar_reader *r, const char *block)
{
    struct str prefix = text_field(block + PREFIX, PREFIX_SIZE);
    if (r->path.n > 0)
        return;
    if (memcmp(block + MAGIC, "ustar\0", 6) == 0 && prefix.n > 0) {
        buf_add_str(&r->path, prefix);
        buf_add_char(&r->path, '/');
    }
    buf_add_str(&r->path, text_field(block + NAME, NAME_SIZE));
}

/* One header with what stands in front of it. *skip: neither file nor directory. */
static bool read_headers(struct tar_reader *r, struct tar_member *m, bool *end, bool *skip,
                         struct err *e)
{
    char block[BLOCK];
    struct extended x = {0};
    uint64_t size, modified;
    buf_clear(&r->path);
    for (;;) {
        if (!read_block(r, block, end, e) || *end)
            return *end;
        if (!take_number(block + SIZE, NUMBER_LENGTH, &size) || size > INT64_MAX)
            return err_set(e, ERR_SYNTAX, "the archive is damaged: a size");
        char type = block[TYPE];
        if (type != 'x' && type != 'g' && type != 'L')
            break;
        if (!read_whole(r, size, e) || (type == 'x' && !take_records(r, &x, e)))
            return false;
        if (type == 'L') {
            buf_clear(&r->path);
            buf_add_str(&r->path, text_field(buf_str(&r->header).p, r->header.n));
        }
    }
    take_path(r, block);
    char type = block[TYPE];
    m->directory = type == '5';
    m->size = m->directory ? 0 : x.has_size ? x.size : size;
    if (!take_number(block + MTIME, NUMBER_LENGTH, &modified) || modified > INT64_MAX)
        modified = 0;
    m->modified = x.has_modified ? x.modified : (int64_t)modified;
    *skip = type != '0' && type != '\0' && type != '7' && !m->directory;
    r->left = m->size;
    r->padding = padding_of(m->size);
    return m->size <= INT64_MAX || err_set(e, ERR_SYNTAX, "the archive is damaged: a size");
}

bool tar_read_member(struct tar_reader *r, struct tar_member *m, bool *end, struct err *e)
{
    bool skip = true;
    *end = false;
    while (skip && !*end)
        if (!tar_skip(r, e) || !read_headers(r, m, end, &skip, e))
            return false;
    m->path = buf_str(&r->path);
    while (m->path.n > 0 && m->path.p[m->path.n - 1] == '/')
        m->path.n--;
    if (str_starts_with(m->path, STR("./")))
        m->path = str_skip(m->path, 2);
    return true;
}

bool tar_read(struct tar_reader *r, void *p, size_t n, size_t *got, struct err *e)
{
    size_t wanted = n < r->left ? n : (size_t)r->left;
    *got = 0;
    if (wanted == 0)
        return true;
    if (!r->from.read(r->from.arg, p, wanted, got, e))
        return false;
    r->left -= *got;
    return *got > 0 || cut(e);
}

void tar_reader_free(struct tar_reader *r)
{
    buf_free(&r->path);
    buf_free(&r->header);
}
