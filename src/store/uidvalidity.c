/*
 * UIDVALIDITY of new mailboxes: the time, but always above the highest that any mailbox of the
 * account had, so that a mailbox deleted and made again, or another one renamed to its name, never
 * looks to a client like the one it knew. Dovecot keeps that maximum in two files, which are kept
 * up here: `dovecot-uidvalidity` holds eight hex digits, and the name of an empty file
 * `dovecot-uidvalidity.<8 hex>` says the same.
 */
#include "core/disk.h"
#include "core/mem.h"
#include "store/mailbox_content.h"

#include <fcntl.h>

#define PREFIX "dovecot-uidvalidity."

static bool parse_hex(struct str s, uint32_t *value)
{
    uint32_t v = 0;
    if (s.n != 8)
        return false;
    for (size_t i = 0; i < 8; i++) {
        char c = char_lower(s.p[i]);
        bool digit = c >= '0' && c <= '9';
        if (!digit && (c < 'a' || c > 'f'))
            return false;
        v = v << 4 | (uint32_t)(digit ? c - '0' : c - 'a' + 10);
    }
    *value = v;
    return true;
}

static bool see_entry(void *arg, const char *name, unsigned char type)
{
    uint32_t *highest = arg, value;
    struct str s = str_from_c(name);

    (void)type;
    if (str_starts_with(s, STR(PREFIX)) && parse_hex(str_skip(s, sizeof(PREFIX) - 1), &value) &&
        value > *highest)
        *highest = value;
    return true;
}

/* *marked: what the empty file's name says, 0: there is none. */
static bool read_highest(const char *maildir, uint32_t *highest, uint32_t *marked, struct err *e)
{
    struct buf path = BUF_EMPTY, content = BUF_EMPTY;
    uint32_t value;

    *highest = 0;
    bool ok = disk_list(maildir, see_entry, highest, e);
    *marked = *highest;
    buf_printf(&path, "%s/dovecot-uidvalidity", maildir);
    if (ok && disk_read_file(buf_c(&path), 64, &content, NULL) &&
        parse_hex(str_trim(buf_str(&content)), &value) && value > *highest)
        *highest = value;
    buf_free(&path);
    buf_free(&content);
    return ok;
}

static bool write_highest(const char *maildir, uint32_t highest, uint32_t marked, struct err *e)
{
    struct buf path = BUF_EMPTY, from = BUF_EMPTY, content = BUF_EMPTY;
    int fd;

    buf_printf(&path, "%s/dovecot-uidvalidity", maildir);
    buf_printf(&content, "%08x", highest);
    bool ok = disk_replace_file(buf_c(&path), buf_str(&content), 0600, e);
    buf_printf(&from, "%s/" PREFIX "%08x", maildir, marked);
    buf_clear(&path);
    buf_printf(&path, "%s/" PREFIX "%08x", maildir, highest);
    if (ok && marked > 0) {
        ok = disk_rename(buf_c(&from), buf_c(&path), e);
    } else if (ok && (ok = disk_open(buf_c(&path), O_WRONLY | O_CREAT, 0600, &fd, e))) {
        disk_close(fd);
    }
    buf_free(&path);
    buf_free(&from);
    buf_free(&content);
    return ok;
}

bool uidvalidity_take(const char *maildir, usec now, uint32_t count, uint32_t *validity,
                      struct err *e)
{
    uint32_t highest, marked;

    if (!read_highest(maildir, &highest, &marked, e))
        return false;
    *validity = (uint32_t)(now / USEC_SEC);
    if (*validity <= highest)
        *validity = highest + 1;
    return write_highest(maildir, *validity + count - 1, marked, e);
}

bool uidvalidity_note(const char *maildir, uint32_t validity, struct err *e)
{
    uint32_t highest, marked;

    return read_highest(maildir, &highest, &marked, e) &&
           (validity <= highest || write_highest(maildir, validity, marked, e));
}
