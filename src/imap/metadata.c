/*
 * Annotations as IMAP writes them. Those of the server: private ones are the account's, the shared
 * ones are the operator's settings and nobody else's.
 */
#include "imap/metadata.h"

#include "imap/access.h"
#include "imap/place.h"
#include "store/metadata.h"

/* --- names of entries (RFC 5464 3.2) --- */

static bool is_below(struct str name, struct str parent)
{
    return name.n > parent.n && name.p[parent.n] == '/' && str_starts_with_nocase(name, parent);
}

const char *imap_metadata_name_error(struct str name, bool to_set)
{
    size_t parts = 0;
    for (size_t i = 0; i < name.n; i++) {
        unsigned char ch = (unsigned char)name.p[i];
        if (ch < ' ' || ch > '~' || ch == '*' || ch == '%')
            return "an entry name of ASCII characters without * and %";
        if (ch == '/' && (i + 1 == name.n || name.p[i + 1] == '/'))
            return "an entry name without empty parts";
        parts += ch == '/';
    }
    if ((!is_below(name, STR("/private")) && !is_below(name, STR("/shared"))) || parts < 2)
        return "an entry name below /private or /shared";
    bool vendor = str_starts_with_nocase(name, STR("/private/vendor")) ||
                  str_starts_with_nocase(name, STR("/shared/vendor"));
    if (to_set && vendor && parts < 4)
        return "an entry name below a vendor's name";
    return NULL;
}

static bool take_entry(struct imap_command *c, const struct imap_argument *a,
                       struct imap_metadata_request *r)
{
    struct str name;
    const char *wrong = "an entry name";
    if (!a || !imap_argument_astring(a, &name) || (wrong = imap_metadata_name_error(name, false))) {
        imap_expected(c, a, wrong);
        return false;
    }
    r->entries[r->count++] = name;
    return true;
}

bool imap_take_metadata_entries(struct imap_command *c, const struct imap_argument *a,
                                struct imap_metadata_request *r)
{
    bool list = a && a->type == IMAP_LIST;
    size_t count = 1;
    for (const struct imap_argument *i = list ? a->children : NULL; i; i = i->next)
        count++;
    r->entries = arena_array(c->arena, count, sizeof *r->entries);
    r->count = 0;
    if (!list || !a->children)
        return take_entry(c, list ? NULL : a, r);
    for (a = a->children; a; a = a->next)
        if (!take_entry(c, a, r))
            return false;
    return true;
}

/* --- the response --- */

static void add_server_entry(struct metadata *m, const char *name, const char *value,
                             struct arena *a)
{
    struct metadata_entry entry = {str_from_c(name), str_from_c(value)};
    if (entry.value.n)
        metadata_apply(m, &entry, 1, a);
}

static bool is_private(struct str entry)
{
    return is_below(entry, STR("/private"));
}

static void drop_private(struct metadata *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->count; i++)
        if (!is_private(m->list[i].name))
            m->list[kept++] = m->list[i];
    m->count = kept;
}

static bool get(struct imap_session *s, struct arena *a, struct str mailbox, struct metadata *m,
                struct err *e)
{
    struct imap_place place = imap_place(s, mailbox);
    if (!imap_place_check(&place, e) ||
        !metadata_get(s->context->store, place.account, place.name, a, m, e))
        return false;
    if (place.public)
        drop_private(m);
    if (!mailbox.n) {
        add_server_entry(m, "/shared/comment", s->settings->comment, a);
        add_server_entry(m, "/shared/admin", s->settings->admin, a);
    }
    return true;
}

static bool is_within(struct str name, struct str entry, uint32_t depth)
{
    uint32_t levels = 0;
    if (!is_below(name, entry))
        return false;
    for (size_t i = entry.n; i < name.n; i++)
        levels += name.p[i] == '/';
    return levels <= depth;
}

static void write_value(struct buf *out, struct str value)
{
    if (!value.p) {
        buf_add_c(out, "NIL");
    } else if (memchr(value.p, 0, value.n)) {
        buf_printf(out, "~{%zu}\r\n", value.n);
        buf_add_str(out, value);
    } else {
        imap_write_string(out, value);
    }
}

void imap_write_entry_name(struct buf *out, struct str name)
{
    if (imap_is_astring(name))
        buf_add_str(out, name);
    else
        imap_write_string(out, name);
}

static void write_entry(struct buf *out, struct imap_metadata_request *r, size_t start,
                        struct str name, struct str value)
{
    if (value.n > r->size_max) {
        r->longest = value.n > r->longest ? value.n : r->longest;
        return;
    }
    if (out->n > start)
        buf_add_char(out, ' ');
    imap_write_entry_name(out, name);
    buf_add_char(out, ' ');
    write_value(out, value);
}

/* Each entry once, however many of those asked for it is in or below of. */
static void write_entries(struct buf *out, struct imap_metadata_request *r,
                          const struct metadata *m, struct arena *a)
{
    size_t start = out->n;
    bool *written = arena_array(a, m->count, sizeof *written);
    for (size_t i = 0; i < r->count; i++) {
        bool found = false;
        for (size_t k = 0; k < m->count; k++) {
            bool same = str_equal_nocase(m->list[k].name, r->entries[i]);
            if (!same && (!r->depth || !is_within(m->list[k].name, r->entries[i], r->depth)))
                continue;
            found = true;
            if (!written[k])
                write_entry(out, r, start, same ? r->entries[i] : m->list[k].name,
                            m->list[k].value);
            written[k] = true;
        }
        if (!found)
            write_entry(out, r, start, r->entries[i], (struct str){0});
    }
}

bool imap_write_metadata(struct imap_session *s, struct arena *a, struct str mailbox,
                         struct imap_metadata_request *r, struct buf *out, struct err *e)
{
    struct metadata m;
    size_t before = out->n;
    if (!get(s, a, mailbox, &m, e))
        return false;
    buf_add_c(out, "* METADATA ");
    imap_write_mailbox(out, mailbox, imap_session_naming(s));
    buf_add_c(out, " (");
    size_t start = out->n;
    write_entries(out, r, &m, a);
    if (out->n == start)
        out->n = before;
    else
        buf_add_c(out, ")\r\n");
    return true;
}

/* RFC 5464 3.3. */
bool imap_may_metadata(const struct imap_session *s, struct str mailbox)
{
    unsigned rights = mailbox.n ? imap_rights(s, mailbox) : RIGHTS_ALL;
    return rights & RIGHT_LOOKUP && rights & (RIGHT_READ | RIGHTS_WRITE);
}

bool imap_may_set_metadata(struct imap_command *c, struct str mailbox,
                           const struct metadata_entry *changes, size_t count)
{
    if (!imap_is_public(c->session, mailbox))
        return true;
    if (!imap_may(c, mailbox, RIGHT_LOOKUP | RIGHT_WRITE))
        return false;
    for (size_t i = 0; i < count; i++)
        if (is_private(changes[i].name)) {
            imap_no(c, "[METADATA NOPRIVATE] Annotations of public mailboxes are shared");
            return false;
        }
    return true;
}
