/*
 * Field by field: the lines of the present field are kept until the first line that does not
 * continue it, then a table says what is done with a field of that name. Nothing is kept of the
 * fields before but facts, so memory is bounded by SMTP_FIELD_MAX.
 *
 * Loops: with a message for one recipient here, "Delivered-To: address" is put in front of our
 * Received field (smtp_message.c). Found again in a message for the same address, directly above a
 * Received field of this host, it tells that the message was here before, sent on to another
 * server, and came back. Lines of other servers do not count: a mailbox that moves from one server
 * to another keeps its address.
 */
#include "smtp/header_filter.h"

#include "mime/address.h"
#include "mime/qualify.h"
#include "mime/rewrite.h"
#include "queue/rewrites.h"
#include "smtp/limits.h"

void header_filter_init(struct header_filter *f, const struct header_rules *rules)
{
    *f = (struct header_filter){.rules = *rules};
}

void header_filter_free(struct header_filter *f)
{
    buf_free(&f->field);
    buf_free(&f->delivered_to);
    buf_free(&f->facts.identifier);
    buf_free(&f->facts.visited);
    buf_free(&f->facts.authors.from);
    buf_free(&f->facts.authors.sender);
    buf_free(&f->facts.authors.resent_from);
    buf_free(&f->facts.authors.resent_sender);
}

/* --- fields --- */

struct field {
    struct str whole, value; /* value: without the last line end */
};

typedef void field_function(struct header_filter *f, const struct field *field, struct buf *out);

static void keep(struct header_filter *f, const struct field *field, struct buf *out)
{
    (void)f;
    buf_add_str(out, field->whole);
}

static void drop(struct header_filter *f, const struct field *field, struct buf *out)
{
    (void)f;
    (void)field;
    (void)out;
}

struct rewriting {
    struct rewriter *rewriter;
    enum rewrite_part part;
};

static bool rewrite_address(void *arg, struct str local, struct str domain, struct buf *text)
{
    struct rewriting *x = arg;
    struct arena *a = arena_new();
    struct address address = {.local = local, .domain = domain};
    struct str before = address_text(a, &address);
    struct str after = rewriter_address(x->rewriter, x->part, before, a);
    bool changed = !str_equal(before, after);
    if (changed)
        buf_add_str(text, after);
    arena_free(a);
    return changed;
}

static bool qualifies(const struct header_filter *f)
{
    return f->rules.submission && f->rules.domain.n > 0;
}

/* The name with its colon, then the value: complete addresses, those that rules want. */
static void keep_addresses(struct header_filter *f, const struct field *field,
                           enum rewrite_part part, struct buf *out)
{
    bool rewrites = rewriter_wants(f->rules.rewriter, part);
    if (!qualifies(f) && !rewrites) {
        keep(f, field, out);
        return;
    }
    struct buf complete = BUF_EMPTY;
    if (qualifies(f))
        address_list_qualify(&complete, field->value, f->rules.domain);
    struct str value = qualifies(f) ? buf_str(&complete) : field->value;
    struct rewriting x = {f->rules.rewriter, part};
    buf_add(out, field->whole.p, (size_t)(field->value.p - field->whole.p));
    if (rewrites)
        address_list_rewrite(out, value, rewrite_address, &x);
    else
        buf_add_str(out, value);
    buf_add_char(out, '\n');
    buf_free(&complete);
}

static void keep_sender(struct header_filter *f, const struct field *field, struct buf *out)
{
    keep_addresses(f, field, REWRITE_HEADER_SENDER, out);
}

static void keep_recipient(struct header_filter *f, const struct field *field, struct buf *out)
{
    keep_addresses(f, field, REWRITE_HEADER_RECIPIENT, out);
}

/* "by host" of our own Received, which may begin with it (received.c). */
static bool is_ours(const struct header_filter *f, struct str value)
{
    ptrdiff_t by = str_starts_with(value, STR(" by ")) ? 0 : str_find(value, STR("\tby "));
    struct str rest = str_skip(value, by < 0 ? value.n : (size_t)by + 4);
    return by >= 0 && str_starts_with_nocase(rest, f->rules.host) &&
           str_starts_with(str_skip(rest, f->rules.host.n), STR(" (maild)"));
}

static void field_received(struct header_filter *f, const struct field *field, struct buf *out)
{
    f->facts.hops++;
    if (f->delivered_to.n > 0 && is_ours(f, field->value)) {
        buf_add_str(&f->facts.visited, buf_str(&f->delivered_to));
        buf_add_char(&f->facts.visited, '\n');
    }
    keep(f, field, out);
}

static void field_delivered_to(struct header_filter *f, const struct field *field, struct buf *out)
{
    struct str address = str_trim(field->value);
    buf_clear(&f->delivered_to);
    for (size_t i = 0; i < address.n && address.n <= SMTP_ADDRESS_TEXT_MAX; i++)
        buf_add_char(&f->delivered_to, char_lower(address.p[i]));
    keep(f, field, out);
}

static void field_date(struct header_filter *f, const struct field *field, struct buf *out)
{
    if (f->rules.submission && str_trim(field->value).n == 0)
        return; /* is added */
    f->facts.date = true;
    keep(f, field, out);
}

/* What stands between < and >; all of it where somebody has invented another form. */
static void note_identifier(struct header_filter *f, struct str value)
{
    ptrdiff_t from = str_find_char(value, '<');
    if (from >= 0)
        value = str_skip(value, (size_t)from + 1);
    ptrdiff_t to = str_find_char(value, '>');
    if (to >= 0)
        value = str_head(value, (size_t)to);
    buf_add_str(&f->facts.identifier, str_head(value, SMTP_LOGGED_ID_MAX));
}

static void field_message_id(struct header_filter *f, const struct field *field, struct buf *out)
{
    if (f->rules.submission && str_trim(field->value).n == 0)
        return; /* is added */
    if (!f->facts.message_id)
        note_identifier(f, str_trim(field->value));
    f->facts.message_id = true;
    keep(f, field, out);
}

/* Whether all its addresses can be written to. */
static bool look_at_from(struct header_filter *f, struct str value)
{
    struct arena *a = arena_new();
    size_t count, mailboxes = 0;
    bool valid = true, own = false;
    struct mailbox_address *list = address_list_parse(a, value, &count);
    for (size_t i = 0; i < count; i++) {
        struct mailbox_address *m = &list[i];
        struct address address;
        if (!m->domain.p) /* begin or end of a group */
            continue;
        struct address parts = {m->local, m->domain};
        struct str text = m->local.n > 0 ? address_text(a, &parts) : STR("");
        valid &= m->domain.n > 0 && address_parse(a, text, ADDRESS_UTF8, &address, NULL);
        own = str_equal_nocase(text, f->rules.login);
        mailboxes++;
    }
    f->facts.from_addresses += (unsigned)mailboxes;
    f->facts.from_is_login = mailboxes == 1 && own;
    arena_free(a);
    return valid && mailboxes > 0;
}

/* Kept for who asks whether he may send as that. */
static void note_author(const struct header_filter *f, const struct field *field, struct buf *value)
{
    if (!f->rules.keep_authors || value->n > 0)
        return;
    if (qualifies(f))
        address_list_qualify(value, field->value, f->rules.domain);
    else
        buf_add_str(value, field->value);
    buf_add_char(value, '\n'); /* so that an empty one is there as well */
}

static void field_from(struct header_filter *f, const struct field *field, struct buf *out)
{
    size_t before = out->n, name = (size_t)(field->value.p - field->whole.p);
    f->facts.from_fields++;
    note_author(f, field, &f->facts.authors.from);
    keep_sender(f, field, out);
    if (!f->rules.submission)
        return;
    f->facts.from_valid =
        look_at_from(f, str_skip(buf_str(out), before + name)) && f->facts.from_fields == 1;
}

static void field_sender(struct header_filter *f, const struct field *field, struct buf *out)
{
    f->facts.sender = true;
    if (f->rules.drop_sender)
        return;
    f->facts.authors.sender_fields++;
    note_author(f, field, &f->facts.authors.sender);
    keep_sender(f, field, out);
}

static void field_resent_from(struct header_filter *f, const struct field *field, struct buf *out)
{
    f->facts.authors.resent_fields++;
    note_author(f, field, &f->facts.authors.resent_from);
    keep_sender(f, field, out);
}

/* Behind a second Resent-From it belongs to an older block. */
static void field_resent_sender(struct header_filter *f, const struct field *field, struct buf *out)
{
    if (f->facts.authors.resent_fields < 2)
        note_author(f, field, &f->facts.authors.resent_sender);
    keep_sender(f, field, out);
}

static void field_tls_required(struct header_filter *f, const struct field *field, struct buf *out)
{
    f->facts.tls_optional = str_equal_nocase(str_trim(field->value), STR("No"));
    keep(f, field, out);
}

/* always: of messages from everybody; else only of submitted ones. */
static const struct {
    struct str name;
    field_function *run;
    bool always;
} known[] = {
    {{"Received", 8}, field_received, true},
    {{"Delivered-To", 12}, field_delivered_to, true},
    {{"Return-Path", 11}, drop, true},
    {{"Date", 4}, field_date, true},
    {{"Message-ID", 10}, field_message_id, true},
    {{"From", 4}, field_from, true},
    {{"TLS-Required", 12}, field_tls_required, true},
    {{"Sender", 6}, field_sender, true},
    {{"To", 2}, keep_recipient, true},
    {{"Cc", 2}, keep_recipient, true},
    {{"Reply-To", 8}, keep_sender, true},
    {{"Resent-From", 11}, field_resent_from, true},
    {{"Resent-Sender", 13}, field_resent_sender, true},
    {{"Resent-Reply-To", 15}, keep_sender, true},
    {{"Resent-To", 9}, keep_recipient, true},
    {{"Resent-Cc", 9}, keep_recipient, true},
    {{"Bcc", 3}, drop, false},
    {{"Resent-Bcc", 10}, drop, false},
};

static field_function *function_of(const struct header_filter *f, struct str name)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i].name.n == name.n && (known[i].always || f->rules.submission) &&
            str_equal_nocase(known[i].name, name))
            return known[i].run;
    return keep;
}

/* Length of a field's name at the start of the line; 0: this is no field. Spaces before the colon
 * are an old form (RFC 5322 4.5). *value: where the value begins. */
static size_t name_length(struct str line, size_t *value)
{
    size_t n = 0;
    while (n < line.n && line.p[n] > ' ' && line.p[n] < 127 && line.p[n] != ':')
        n++;
    size_t colon = n;
    while (colon < line.n && (line.p[colon] == ' ' || line.p[colon] == '\t'))
        colon++;
    *value = colon + 1;
    return colon < line.n && line.p[colon] == ':' ? n : 0;
}

/* The kept field is complete. */
static void end_field(struct header_filter *f, struct buf *out)
{
    if (f->field.n == 0)
        return;
    if (f->field.p[f->field.n - 1] != '\n') /* the message ended in the middle of the line */
        buf_add_char(&f->field, '\n');
    struct field field = {.whole = buf_str(&f->field)};
    size_t value, name = name_length(field.whole, &value);
    field.value = str_from(field.whole.p + value, field.whole.n - value - 1);
    if (++f->facts.fields > SMTP_FIELDS_MAX)
        smtp_refuse(&f->refusal, 552, "5.3.4", "The header has more than %d fields",
                    SMTP_FIELDS_MAX);
    field_function *run = function_of(f, str_head(field.whole, name));
    run(f, &field, out);
    if (run != field_delivered_to)
        buf_clear(&f->delivered_to);
    buf_clear(&f->field);
}

/* --- lines --- */

static bool is_mbox_line(const struct header_filter *f)
{
    struct str line = buf_str(&f->field);
    return f->facts.fields == 0 &&
           (str_starts_with(line, STR("From ")) || str_starts_with(line, STR(">From ")));
}

/* What is kept is no field: the body begins here. */
static void end_at_broken_line(struct header_filter *f, struct buf *out)
{
    f->facts.broken = true;
    f->done = true;
    if (f->rules.refuse_broken)
        smtp_refuse(&f->refusal, 550, "5.6.0",
                    "The header of the message has a line that is no field");
    buf_add_char(out, '\n');
    buf_add_str(out, buf_str(&f->field));
    buf_clear(&f->field);
}

static bool is_field(const struct header_filter *f)
{
    size_t value;
    return name_length(buf_str(&f->field), &value) > 0;
}

static void end_line(struct header_filter *f, struct buf *out)
{
    f->inside_line = false;
    if (!f->first_line || is_field(f))
        return;
    if (is_mbox_line(f))
        buf_clear(&f->field);
    else
        end_at_broken_line(f, out);
}

static void begin_line(struct header_filter *f, char first, struct buf *out)
{
    bool folded = (first == ' ' || first == '\t') && f->field.n > 0;
    f->inside_line = true;
    f->first_line = !folded;
    if (!folded)
        end_field(f, out);
}

static void check_size(struct header_filter *f, struct buf *out)
{
    bool large_field = f->field.n > SMTP_FIELD_MAX;
    if (large_field && f->first_line && !is_field(f))
        end_at_broken_line(f, out);
    else if (large_field)
        smtp_refuse(&f->refusal, 552, "5.3.4", "A header field has more than %d bytes",
                    SMTP_FIELD_MAX);
    else if (f->size > SMTP_HEADER_MAX)
        smtp_refuse(&f->refusal, 552, "5.3.4", "The header has more than %d bytes",
                    SMTP_HEADER_MAX);
    f->done |= f->refusal.code != 0;
}

size_t header_filter_feed(struct header_filter *f, struct str bytes, struct buf *out)
{
    size_t at = 0;
    while (at < bytes.n && !f->done) {
        struct str rest = str_skip(bytes, at);
        ptrdiff_t end = str_find_char(rest, '\n');
        size_t n = end < 0 ? rest.n : (size_t)end + 1;
        if (!f->inside_line && end == 0) {
            end_field(f, out);
            buf_add_char(out, '\n');
            f->done = true;
            return at + 1;
        }
        if (!f->inside_line)
            begin_line(f, *rest.p, out);
        buf_add(&f->field, rest.p, n);
        f->size += n;
        at += n;
        check_size(f, out);
        if (end >= 0 && !f->done)
            end_line(f, out);
    }
    return at;
}

void header_filter_end(struct header_filter *f, struct buf *out)
{
    if (f->done)
        return;
    if (f->inside_line)
        end_line(f, out);
    end_field(f, out);
    f->done = true;
}

bool header_filter_was_visited(const struct header_filter *f, struct str address)
{
    struct str rest = buf_str(&f->facts.visited);
    while (rest.n > 0)
        if (str_equal_nocase(str_split(&rest, '\n'), address))
            return true;
    return false;
}
