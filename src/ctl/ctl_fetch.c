/*
 * fetch: fields of the messages that a query finds. What is short stands in the item of the
 * message; the header, the body and the whole message follow as items of their own with their
 * bytes, in parts, so that a message of any size goes through bounded memory. Line ends are LF.
 */
#include "core/mem.h"
#include "ctl/ctl_json.h"
#include "ctl/ctl_query.h"
#include "imap/body.h"
#include "mime/date.h"
#include "mime/header.h"

#include <stdlib.h>

#define FIELDS_MAX 100

enum field_kind {
    FIELD_USER,
    FIELD_MAILBOX,
    FIELD_GUID,
    FIELD_UID,
    FIELD_FLAGS,
    FIELD_SIZE,
    FIELD_STORED,
    FIELD_RECEIVED,
    FIELD_SAVED,
    FIELD_MODSEQ,
    FIELD_SENT,
    FIELD_HEADER,       /* hdr.NAME */
    FIELD_WHOLE_HEADER, /* from here on: as bytes */
    FIELD_BODY,
    FIELD_TEXT,
};

static const struct field_name {
    const char *name;
    enum field_kind kind;
} field_names[] = {
    {"user", FIELD_USER},          {"mailbox", FIELD_MAILBOX},
    {"mailbox-guid", FIELD_GUID},  {"uid", FIELD_UID},
    {"flags", FIELD_FLAGS},        {"size", FIELD_SIZE},
    {"size.stored", FIELD_STORED}, {"date.received", FIELD_RECEIVED},
    {"date.saved", FIELD_SAVED},   {"modseq", FIELD_MODSEQ},
    {"date.sent", FIELD_SENT},     {"hdr", FIELD_WHOLE_HEADER},
    {"body", FIELD_BODY},          {"text", FIELD_TEXT},
};

struct field {
    struct str name; /* as asked for */
    enum field_kind kind;
    struct str header; /* of hdr.NAME */
};

struct fetching {
    struct ctl_call *call;
    struct arena *arena;
    struct field fields[FIELDS_MAX];
    size_t count;
    bool needs_header, needs_date, needs_save_date;
    struct imap_body body;
    char *part; /* CTL_PART_MAX bytes */
    uint64_t done;
};

/* --- which fields --- */

static bool take_field(struct fetching *f, struct str name, struct err *e)
{
    struct field *field = &f->fields[f->count++];
    field->name = name;
    if (str_starts_with_nocase(name, STR("hdr.")) && name.n > 4) {
        field->kind = FIELD_HEADER;
        field->header = str_skip(name, 4);
        f->needs_header = true;
        return true;
    }
    for (size_t i = 0; i < sizeof(field_names) / sizeof(*field_names); i++) {
        if (!str_equal_nocase(name, str_from_c(field_names[i].name)))
            continue;
        field->kind = field_names[i].kind;
        f->needs_header |= field->kind == FIELD_SENT || field->kind >= FIELD_WHOLE_HEADER;
        f->needs_date |= field->kind == FIELD_RECEIVED;
        f->needs_save_date |= field->kind == FIELD_SAVED;
        return true;
    }
    return err_set(e, ERR_SYNTAX,
                   "there is no field \"%.*s\"; there are user, mailbox, mailbox-guid, uid, flags, "
                   "size, size.stored, date.received, date.saved, date.sent, modseq, hdr.NAME, "
                   "hdr, body, text",
                   STR_ARG(str_head(name, 40)));
}

static bool take_fields(struct fetching *f, const json_t *args, struct err *e)
{
    const json_t *list = json_object_get(args, "fields");
    size_t i;
    json_t *name;
    if (json_array_size(list) == 0 || json_array_size(list) > FIELDS_MAX)
        return err_set(e, ERR_SYNTAX, "fields: 1 to %d names", FIELDS_MAX);
    json_array_foreach(
        list, i, name) if (!take_field(f, str_from_c(json_string_value(name)), e)) return false;
    return true;
}

/* --- short ones --- */

static json_t *header_json(struct fetching *f, struct str block, struct str name)
{
    struct str value;
    if (!header_find(block, name, &value))
        return json_null();
    return ctl_json_str(header_decode(f->arena, value));
}

static json_t *sent_json(struct str block)
{
    struct str value;
    int64_t seconds;
    return header_find(block, STR("Date"), &value) && date_parse_header(value, &seconds, NULL)
               ? json_integer(seconds)
               : json_null();
}

static json_t *buf_json(struct buf *b)
{
    json_t *json = ctl_json_str(buf_str(b));
    buf_free(b);
    return json;
}

static json_t *value_of(struct fetching *f, const struct field *field,
                        const struct ctl_found *found, const struct message *m, struct str block)
{
    struct buf b = BUF_EMPTY;
    switch (field->kind) {
    case FIELD_USER:
        return ctl_json_str(found->account->login);
    case FIELD_MAILBOX:
        return ctl_json_str(mailbox_name(found->mailbox));
    case FIELD_GUID:
        return ctl_json_str(mailbox_id(found->mailbox));
    case FIELD_UID:
        return json_integer(m->uid);
    case FIELD_FLAGS:
        ctl_add_flags(&b, found->mailbox, m);
        return buf_json(&b);
    case FIELD_SIZE:
        return json_integer((json_int_t)m->size_crlf);
    case FIELD_STORED:
        return json_integer((json_int_t)m->size);
    case FIELD_RECEIVED:
        return json_integer(m->internal_date);
    case FIELD_SAVED:
        return json_integer(m->save_date);
    case FIELD_MODSEQ:
        return json_integer((json_int_t)m->modseq);
    case FIELD_SENT:
        return sent_json(block);
    case FIELD_HEADER:
        return header_json(f, block, field->header);
    default:
        return NULL;
    }
}

/* --- bytes --- */

static SUSPENDS bool send_range(struct fetching *f, struct str name, uint64_t from, uint64_t to,
                                struct err *e)
{
    json_t *item = json_pack("{s:o}", "field", ctl_json_str(name));
    do {
        size_t wanted = to - from < CTL_PART_MAX ? (size_t)(to - from) : CTL_PART_MAX, got = 0;
        if (wanted > 0 && !message_read_at(f->body.reader, f->part, wanted, from, &got, e)) {
            json_decref(item);
            return false;
        }
        from += got;
        bool more = got == wanted && from < to;
        if (!ctl_send_bytes(f->call, item, str_from(f->part, got), more, e))
            return false;
        item = NULL;
        if (!more)
            break;
    } while (true);
    return true;
}

static SUSPENDS bool send_bytes(struct fetching *f, const struct field *field, struct err *e)
{
    const struct imap_body *b = &f->body;
    bool whole = field->kind == FIELD_TEXT;
    return send_range(f, field->name, field->kind == FIELD_BODY ? b->header_end : 0,
                      whole || field->kind == FIELD_BODY ? b->size : b->header_end, e);
}

/* --- a message --- */

static SUSPENDS bool send_message(struct fetching *f, const struct ctl_found *found, uint32_t uid,
                                  struct err *e)
{
    struct str block = STR("");
    if (f->needs_header &&
        (!imap_body_open(&f->body, uid, e) || !imap_body_header(&f->body, &block, e)))
        return e->kind == ERR_NOT_FOUND;
    if (f->needs_date)
        message_internal_date(found->mailbox, uid);
    if (f->needs_save_date)
        message_save_date(found->mailbox, uid);
    const struct message *m = mailbox_find_uid(found->mailbox, uid);
    if (!m)
        return true; /* expunged meanwhile */
    json_t *values = json_object();
    bool bytes = false;
    for (size_t i = 0; i < f->count; i++) {
        json_t *value = value_of(f, &f->fields[i], found, m, block);
        if (value)
            json_object_set_new(values, arena_c(f->arena, f->fields[i].name), value);
        bytes |= f->fields[i].kind >= FIELD_WHOLE_HEADER;
    }
    bool ok = ctl_send_item(f->call, json_pack("{s:o}", "message", values), e);
    for (size_t i = 0; ok && bytes && i < f->count; i++)
        if (f->fields[i].kind >= FIELD_WHOLE_HEADER)
            ok = send_bytes(f, &f->fields[i], e);
    f->done++;
    return ok && ctl_progress(f->call, f->done, 0, e);
}

static bool fetch_found(void *arg, const struct ctl_found *found, struct err *e)
{
    struct fetching *f = arg;
    bool ok = true;
    imap_body_init(&f->body, f->call->context->imap, found->mailbox, NULL);
    for (size_t i = 0; ok && i < found->count; i++) {
        f->arena = arena_new();
        ok = send_message(f, found, found->uids[i], e);
        arena_free(f->arena);
    }
    imap_body_free(&f->body);
    return ok;
}

static bool fetch(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    struct fetching *f = MEM_NEW(struct fetching);
    struct ctl_query q = {.found = fetch_found, .arg = f};
    f->call = c;
    f->part = mem_alloc(CTL_PART_MAX);
    bool ok = take_fields(f, args, e) && ctl_query_run(c, args, &q, e);
    if (ok)
        *result = json_pack("{s:I, s:I}", "messages", (json_int_t)f->done, "failed",
                            (json_int_t)q.failed);
    free(f->part);
    free(f);
    return ok;
}

const struct ctl_stream_verb ctl_fetch_verbs[] = {
    {"fetch", CTL_OWN_MAIL("user", "query fields"), fetch}, {0}};
