/*
 * What makes two messages alike for the greylist: the client's network, the sender without what
 * changes from message to message, and the recipient.
 *
 * Senders that change: numbers (mailing lists write the recipient's or the message's number into
 * the address), what follows a "+", and the tags of BATV ("prvs=0812345678=joe") and SRS
 * ("SRS0=hash=day=domain=user"), which would make each message a new sender.
 */
#include "policy/greylist_key.h"

#include <openssl/sha.h>

static struct str cut_tags(struct str local)
{
    static const struct str srs[] = {{"srs0=", 5}, {"srs0+", 5}, {"srs0-", 5},
                                     {"srs1=", 5}, {"srs1+", 5}, {"srs1-", 5}};
    for (size_t i = 0; i < sizeof(srs) / sizeof(*srs); i++)
        if (str_starts_with_nocase(local, srs[i]))
            return str_head(local, 4);
    if (str_starts_with_nocase(local, STR("prvs="))) {
        ptrdiff_t tag = str_find_char(str_skip(local, 5), '=');
        if (tag >= 0)
            return str_skip(local, (size_t)tag + 6);
    }
    ptrdiff_t plus = str_find_char(local, '+');
    return plus > 0 ? str_head(local, (size_t)plus) : local;
}

static void add_lower(struct buf *b, struct str s, bool numbers)
{
    for (size_t i = 0; i < s.n; i++)
        if (!numbers || !char_is_digit(s.p[i]))
            buf_add_char(b, char_lower(s.p[i]));
        else if (i == 0 || !char_is_digit(s.p[i - 1]))
            buf_add_char(b, '#');
}

void greylist_sender(struct str sender, struct buf *b)
{
    ptrdiff_t at = str_find_last_char(sender, '@');
    struct str local = at < 0 ? sender : str_head(sender, (size_t)at);
    add_lower(b, cut_tags(local), true);
    if (at >= 0)
        add_lower(b, str_skip(sender, (size_t)at), false);
}

void greylist_key(struct str network, struct str sender, struct str recipient,
                  unsigned char key[GREYLIST_KEY])
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct buf b = BUF_EMPTY;
    buf_add_str(&b, network);
    buf_add_char(&b, '\0');
    greylist_sender(sender, &b);
    buf_add_char(&b, '\0');
    add_lower(&b, recipient, false);
    SHA256((const unsigned char *)b.p, b.n, hash);
    memcpy(key, hash, GREYLIST_KEY);
    buf_free(&b);
}
