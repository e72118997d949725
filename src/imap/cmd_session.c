/*
 * Commands about the session itself: CAPABILITY, NOOP, LOGOUT (RFC 3501 6.1) and ID (RFC 2971).
 */
#include "core/log.h"
#include "imap/command.h"
#include "imap/limits.h"
#include "imap/workaround.h"

void imap_cmd_capability(struct imap_command *c)
{
    if (!imap_take_end(c))
        return;
    struct buf line = BUF_EMPTY;
    buf_add_c(&line, "* CAPABILITY ");
    imap_write_capabilities(&line, c->session);
    buf_add_c(&line, "\r\n");
    imap_write(c->session, buf_str(&line));
    buf_free(&line);
    imap_ok(c, "Capabilities listed");
}

void imap_cmd_noop(struct imap_command *c)
{
    if (imap_take_end(c))
        imap_ok(c, "Done");
}

static void log_out(struct imap_session *s)
{
    session_end(&s->net, "logout");
}

void imap_cmd_logout(struct imap_command *c)
{
    if (!imap_take_end(c))
        return;
    imap_write(c->session, STR("* BYE Goodbye\r\n"));
    c->after = log_out;
    imap_ok(c, "Logged out");
}

static bool is_field_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '-' && !(char_lower(s.p[i]) >= 'a' && char_lower(s.p[i]) <= 'z'))
            return false;
    return s.n > 0;
}

/* The pairs a client tells go to the log, once: the versions of clients explain a lot. */
static bool read_id(struct imap_command *c, const struct imap_argument *list, struct buf *log)
{
    size_t pairs = 0;
    struct str client = STR(""), version = STR("");
    for (const struct imap_argument *a = list; a; a = a->next) {
        struct str name, value;
        if (a->type == IMAP_ATOM || !imap_argument_astring(a, &name)) {
            imap_expected(c, a, "a string");
            return false;
        }
        a = a->next;
        if (!a || !imap_argument_astring(a, &value)) {
            imap_expected(c, a, "a string or NIL");
            return false;
        }
        if (str_equal_nocase(name, STR("name")))
            client = value;
        else if (str_equal_nocase(name, STR("version")))
            version = value;
        if (++pairs > IMAP_ID_PAIRS || value.n > IMAP_ID_VALUE) {
            imap_bad(c, "At most %d values of at most %d bytes", IMAP_ID_PAIRS, IMAP_ID_VALUE);
            return false;
        }
        if (a->type == IMAP_ATOM || !is_field_name(name))
            continue;
        buf_printf(log, " %.*s=", STR_ARG(name));
        log_add_quoted(log, value);
    }
    c->session->workarounds_by_id = (uint8_t)imap_workarounds_by_id(client, version);
    return true;
}

void imap_cmd_id(struct imap_command *c)
{
    struct imap_argument *a = imap_take(c, "a list or NIL");
    if (!a || !imap_take_end(c))
        return;
    if (a->type != IMAP_LIST && !imap_argument_is(a, "NIL")) {
        imap_expected(c, a, "a list or NIL");
        return;
    }
    struct buf log = BUF_EMPTY;
    if (read_id(c, a->children, &log)) {
        if (log.n && !c->session->identified)
            log_info("imap", c->session->net.id, "client%s", buf_c(&log));
        c->session->identified = true;
        imap_session_choose_workarounds(c->session);
        imap_write(c->session,
                   STR("* ID (\"name\" \"maild\" \"version\" \"" MAILD_VERSION "\")\r\n"));
        imap_ok(c, "Pleased to meet you");
    }
    buf_free(&log);
}
