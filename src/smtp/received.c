/*
 * One line for each thing that is said:
 *
 *     Received: from helo (name [192.0.2.1])
 *             by mail.example.org (maild) with ESMTPSA id 7k2m...
 *             (TLSv1.3 TLS_AES_256_GCM_SHA384, client certificate "peer.example")
 *             (Authenticated sender: alice@example.org)
 *             for <bob@example.org>;
 *             Sat, 21 Nov 2026 08:56:41 +0000
 *
 * header_filter.c finds our own fields again by the second line.
 */
#include "smtp/received.h"

#include "mime/date.h"

#define WORD_MAX 255

/* A word of somebody else: without what would end the field, the line or a comment. */
static void add_word(struct buf *out, const char *word)
{
    size_t n = strnlen(word, WORD_MAX);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)word[i];
        bool special = c <= ' ' || c >= 127 || strchr("()\\\";,", c);
        buf_add_char(out, special ? '?' : (char)c);
    }
}

static void add_client(struct buf *out, const struct received *r)
{
    if (r->hide_client)
        return;
    if (r->helo) {
        buf_add_c(out, " from ");
        add_word(out, r->helo);
    }
    if (r->user) {
        buf_printf(out, "%s (%s)", r->helo ? "" : " from localhost", r->user);
    } else if (!strpbrk(r->address, ".:")) {
        bool local = str_equal(str_from_c(r->address), STR("unix"));
        buf_add_c(out, local ? " (local)" : " (unknown)");
    } else {
        buf_add_c(out, " (");
        if (r->name) {
            add_word(out, r->name);
            buf_add_char(out, ' ');
        }
        buf_add_c(out, strchr(r->address, ':') ? "[IPv6:" : "[");
        buf_add_c(out, r->address);
        buf_add_c(out, "])");
    }
    buf_add_c(out, "\n\t");
}

static void add_security(struct buf *out, const struct received *r)
{
    if (r->tls) {
        buf_printf(out, "\n\t(%s %s", r->tls, r->cipher);
        if (r->tls_name) {
            buf_add_c(out, ", client certificate \"");
            add_word(out, r->tls_name);
            buf_add_char(out, '"');
        }
        buf_add_char(out, ')');
    }
    if (r->login) {
        buf_add_c(out, "\n\t(Authenticated sender: ");
        add_word(out, r->login);
        buf_add_char(out, ')');
    }
}

void received_write(struct buf *out, const struct received *r)
{
    buf_add_c(out, "Received:");
    add_client(out, r);
    buf_add_c(out, r->hide_client ? " by " : "by ");
    buf_add_c(out, r->host);
    buf_add_c(out, " (maild)");
    if (r->protocol) {
        buf_add_c(out, " with ");
        buf_add_c(out, r->protocol);
    }
    buf_add_c(out, " id ");
    buf_add_c(out, r->id);
    add_security(out, r);
    if (r->recipient.n > 0) {
        buf_add_c(out, "\n\tfor <");
        buf_add_str(out, r->recipient);
        buf_add_char(out, '>');
    }
    if (r->priority != 0)
        buf_printf(out, "\n\tPRIORITY %d", r->priority);
    buf_add_c(out, ";\n\t");
    date_write_header(out, r->time);
    buf_add_char(out, '\n');
}

void received_write_protocol(struct buf *out, bool lmtp, bool extended, bool utf8, bool tls,
                             bool login)
{
    if (lmtp)
        buf_add_c(out, utf8 ? "UTF8LMTP" : "LMTP");
    else if (utf8)
        buf_add_c(out, "UTF8SMTP");
    else
        buf_add_c(out, extended ? "ESMTP" : "SMTP");
    if (extended && tls)
        buf_add_char(out, 'S');
    if (extended && login)
        buf_add_char(out, 'A');
}
