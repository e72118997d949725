/*
 * ENABLE (RFC 5161), and what else switches extensions on: the first use of MODSEQ makes a client
 * CONDSTORE-aware (RFC 7162 section 3.1).
 */
#include "imap/notify.h"

static const struct {
    const char *name;
    uint8_t enables;
} extensions[] = {
    {"CONDSTORE", ENABLED_CONDSTORE},                 /* RFC 7162 */
    {"METADATA", ENABLED_METADATA},                   /* RFC 5464 */
    {"QRESYNC", ENABLED_QRESYNC | ENABLED_CONDSTORE}, /* RFC 7162 */
    {"UTF8=ACCEPT", ENABLED_UTF8},                    /* RFC 9755 */
    {"IMAP4rev2", ENABLED_REV2},                      /* RFC 9051 */
    {"UIDONLY", ENABLED_UIDONLY},                     /* RFC 9586 */
};

void imap_enable(struct imap_session *s, unsigned what)
{
    bool condstore = what & ~(unsigned)s->enabled & ENABLED_CONDSTORE;
    s->enabled |= (uint8_t)what;
    if (!condstore || !s->selected)
        return;
    struct buf out = BUF_EMPTY;
    imap_write_highestmodseq(&out, s->selected);
    imap_write(s, buf_str(&out));
    buf_free(&out);
}

/* Adds the extension's name to the answer when it is new. Unknown ones are passed over (RFC 5161
 * 3.1). */
static void enable(struct imap_session *s, struct str name, unsigned *what, struct buf *names)
{
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
        if (!str_equal_nocase(name, str_from_c(extensions[i].name)))
            continue;
        if (extensions[i].enables & ~(s->enabled | *what))
            buf_printf(names, " %s", extensions[i].name);
        *what |= extensions[i].enables;
    }
}

void imap_cmd_enable(struct imap_command *c)
{
    struct buf names = BUF_EMPTY;
    struct str name;
    unsigned what = 0;
    bool ok;
    do {
        ok = imap_take_atom(c, "a capability", &name);
        if (ok)
            enable(c->session, name, &what, &names);
    } while (ok && c->next);
    if (ok) {
        imap_writef(c->session, "* ENABLED%.*s\r\n", STR_ARG(buf_str(&names)));
        imap_enable(c->session, what);
        imap_notify_metadata(c->session);
        imap_ok(c, "Enabled what is known");
    }
    buf_free(&names);
}
