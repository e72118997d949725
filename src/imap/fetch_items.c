/*
 * The items of FETCH: their names, the macros ALL, FAST and FULL, and the grammar of sections:
 *
 *   section = "[" [ part *("." part) "." ] ( "HEADER" / "HEADER.FIELDS" [".NOT"] list / "TEXT" /
 *             "MIME" ) "]" ["<" offset "." length ">"]
 *   binary  = "[" [ part *("." part) ] "]" ["<" offset "." length ">"]            (RFC 3516)
 */
#include "imap/fetch.h"

#include <stdlib.h>

static const struct {
    const char *name;
    enum fetch_kind kind;
    enum section_part part;
    bool seen; /* sets \Seen */
} names[] = {
    {"UID", FETCH_UID, 0, false},
    {"FLAGS", FETCH_FLAGS, 0, false},
    {"INTERNALDATE", FETCH_INTERNALDATE, 0, false},
    {"RFC822.SIZE", FETCH_SIZE, 0, false},
    {"ENVELOPE", FETCH_ENVELOPE, 0, false},
    {"BODY", FETCH_BODY, 0, false},
    {"BODYSTRUCTURE", FETCH_BODYSTRUCTURE, 0, false},
    {"RFC822", FETCH_SECTION, SECTION_ALL, true},
    {"RFC822.HEADER", FETCH_SECTION, SECTION_HEADER, false},
    {"RFC822.TEXT", FETCH_SECTION, SECTION_TEXT, true},
    {"MODSEQ", FETCH_MODSEQ, 0, false},
    {"EMAILID", FETCH_EMAILID, 0, false},
    {"THREADID", FETCH_THREADID, 0, false},
    {"SAVEDATE", FETCH_SAVEDATE, 0, false},
    {"PREVIEW", FETCH_PREVIEW, 0, false},
};

static const struct {
    const char *name;
    const char *items[6];
} macros[] = {
    {"FAST", {"FLAGS", "INTERNALDATE", "RFC822.SIZE"}},
    {"ALL", {"FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"}},
    {"FULL", {"FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"}},
};

static const struct {
    const char *name;
    enum section_part part;
} parts[] = {
    {"HEADER", SECTION_HEADER},
    {"HEADER.FIELDS", SECTION_FIELDS},
    {"HEADER.FIELDS.NOT", SECTION_FIELDS_NOT},
    {"TEXT", SECTION_TEXT},
    {"MIME", SECTION_MIME},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct fetch_item *add_item(struct imap_command *c, struct fetch_request *r,
                                   enum fetch_kind kind)
{
    struct fetch_item *item = ARENA_NEW(c->arena, struct fetch_item);
    *r->end = item;
    r->end = &item->next;
    item->kind = kind;
    r->flags = r->flags || kind == FETCH_FLAGS;
    r->date = r->date || kind == FETCH_INTERNALDATE;
    r->save_date = r->save_date || kind == FETCH_SAVEDATE;
    r->modseq = r->modseq || kind == FETCH_MODSEQ;
    r->needs_structure = r->needs_structure || kind == FETCH_BODY;
    unsigned summary = kind == FETCH_ENVELOPE                            ? SUMMARY_ENVELOPE
                       : kind == FETCH_BODYSTRUCTURE                     ? SUMMARY_STRUCTURE
                       : kind == FETCH_EMAILID || kind == FETCH_THREADID ? SUMMARY_FIXED
                                                                         : 0;
    r->summary |= summary;
    r->eager |= summary;
    return item;
}

static bool all_are_kept(const struct fetch_item *item)
{
    for (size_t i = 0; i < item->field_count; i++)
        if (!summary_keeps_header(item->fields[i]))
            return false;
    return true;
}

/* What has to be read for a section. Where a part is tells the summary; the header and the text of
 * the message itself need no structure. */
static void note_needs(struct fetch_request *r, struct fetch_item *item)
{
    bool header = item->part == SECTION_HEADER || item->part == SECTION_FIELDS ||
                  item->part == SECTION_FIELDS_NOT;
    item->kept = !item->path_length && item->part == SECTION_FIELDS && all_are_kept(item);
    unsigned summary = item->kept ? SUMMARY_HEADER : item->path_length ? SUMMARY_PARTS : 0;
    r->summary |= summary;
    r->eager |= summary;
    if (item->kept)
        return;
    if (item->path_length)
        r->needs_file = true;
    else if (header)
        r->needs_header = true;
    else
        r->needs_section = true;
}

static bool add_by_name(struct imap_command *c, struct fetch_request *r, const char *name)
{
    for (size_t i = 0; i < COUNT(names); i++) {
        if (!str_equal_nocase(str_from_c(names[i].name), str_from_c(name)))
            continue;
        struct fetch_item *item = add_item(c, r, names[i].kind);
        item->name = str_from_c(names[i].name);
        item->part = names[i].part;
        if (item->kind == FETCH_SECTION)
            note_needs(r, item);
        r->sets_seen = r->sets_seen || names[i].seen;
        return true;
    }
    return false;
}

struct fetch_item *fetch_add_item(struct imap_command *c, struct fetch_request *r, const char *name)
{
    struct fetch_item **place = r->end;
    return add_by_name(c, r, name) ? *place : NULL;
}

/* --- sections --- */

/* Part numbers at the start of *rest. */
static bool take_path(struct imap_command *c, struct fetch_item *item, struct str *rest)
{
    size_t dots = 1;
    for (size_t i = 0; i < rest->n; i++)
        dots += rest->p[i] == '.';
    if (dots > SECTION_DEPTH_MAX)
        return false;
    item->path = arena_array(c->arena, dots, sizeof *item->path);
    while (rest->n && rest->p[0] >= '0' && rest->p[0] <= '9') {
        uint32_t number;
        struct str digits = str_split(rest, '.');
        if (!str_to_u32(digits, &number) || !number || (rest->p && !rest->n))
            return false;
        item->path[item->path_length++] = number;
    }
    return true;
}

static bool take_part(struct fetch_item *item, struct str name)
{
    for (size_t i = 0; i < COUNT(parts); i++)
        if (str_equal_nocase(name, str_from_c(parts[i].name))) {
            item->part = parts[i].part;
            return item->part != SECTION_MIME || item->path_length;
        }
    return false;
}

static int compare_names(const void *a, const void *b)
{
    return str_compare_nocase(*(const struct str *)a, *(const struct str *)b);
}

static bool take_fields(struct imap_command *c, struct fetch_item *item,
                        const struct imap_argument *list)
{
    size_t count = 0;
    if (!list || list->type != IMAP_LIST || !list->children || list->next)
        return false;
    for (const struct imap_argument *a = list->children; a; a = a->next)
        count++;
    item->fields = arena_array(c->arena, count, sizeof *item->fields);
    for (const struct imap_argument *a = list->children; a; a = a->next)
        if (!imap_argument_astring(a, &item->fields[item->field_count++]))
            return false;
    item->sorted = arena_array(c->arena, count, sizeof *item->sorted);
    memcpy(item->sorted, item->fields, count * sizeof *item->sorted);
    qsort(item->sorted, count, sizeof *item->sorted, compare_names);
    return true;
}

static bool take_section(struct imap_command *c, struct fetch_item *item,
                         const struct imap_argument *children)
{
    item->part = SECTION_ALL;
    if (!children)
        return true;
    if (children->type != IMAP_ATOM || children->has_section)
        return false;
    struct str rest = children->text;
    if (!take_path(c, item, &rest))
        return false;
    if (rest.n && !take_part(item, rest))
        return false;
    if (item->part == SECTION_FIELDS || item->part == SECTION_FIELDS_NOT)
        return take_fields(c, item, children->next);
    return !children->next;
}

static bool take_partial(struct fetch_item *item, struct str text)
{
    if (!text.p)
        return true;
    struct str length = text, offset = str_split(&length, '.');
    item->partial = true;
    return str_to_u64(offset, &item->offset) && str_to_u64(length, &item->length) &&
           item->length > 0 && item->offset < INT64_MAX && item->length < INT64_MAX;
}

/* As the response names it; the header fields as the client wrote them. */
static struct str section_name(struct imap_command *c, const struct fetch_item *item,
                               const char *kind)
{
    struct buf name = BUF_EMPTY;
    buf_printf(&name, "%s[", kind);
    for (size_t i = 0; i < item->path_length; i++)
        buf_printf(&name, "%s%u", i ? "." : "", item->path[i]);
    if (item->part != SECTION_ALL) {
        buf_add_c(&name, item->path_length ? "." : "");
        for (size_t i = 0; i < COUNT(parts); i++)
            if (parts[i].part == item->part)
                buf_add_c(&name, parts[i].name);
    }
    for (size_t i = 0; i < item->field_count; i++) {
        buf_add_c(&name, i ? " " : " (");
        if (imap_is_atom(item->fields[i]))
            buf_add_str(&name, item->fields[i]);
        else
            imap_write_string(&name, item->fields[i]);
    }
    buf_add_c(&name, item->field_count ? ")]" : "]");
    if (item->partial)
        buf_printf(&name, "<%llu>", (unsigned long long)item->offset);
    struct str copy = arena_str(c->arena, buf_str(&name));
    buf_free(&name);
    return copy;
}

static const struct {
    struct str name;
    enum fetch_kind kind;
    const char *answer;
    bool seen, partial;
} sections[] = {
    {{"BODY", 4}, FETCH_SECTION, "BODY", true, true},
    {{"BODY.PEEK", 9}, FETCH_SECTION, "BODY", false, true},
    {{"BINARY", 6}, FETCH_BINARY, "BINARY", true, true},
    {{"BINARY.PEEK", 11}, FETCH_BINARY, "BINARY", false, true},
    {{"BINARY.SIZE", 11}, FETCH_BINARY_SIZE, "BINARY.SIZE", false, false},
};

static bool add_section(struct imap_command *c, struct fetch_request *r,
                        const struct imap_argument *a)
{
    size_t i = 0;
    while (i < COUNT(sections) && !str_equal_nocase(a->text, sections[i].name))
        i++;
    if (i == COUNT(sections)) {
        imap_expected(c, a, "BODY[...], BINARY[...], each with or without .PEEK, or BINARY.SIZE[]");
        return false;
    }
    struct fetch_item *item = add_item(c, r, sections[i].kind);
    if (!take_section(c, item, a->children) ||
        (item->kind != FETCH_SECTION && item->part != SECTION_ALL)) {
        imap_expected(c, a, "a section as in BODY[1.2.HEADER.FIELDS (Subject)] or BINARY[1.2]");
        return false;
    }
    if (!take_partial(item, a->partial) || (item->partial && !sections[i].partial)) {
        imap_expected(c, a, "a partial as in BODY[]<0.1024>");
        return false;
    }
    item->name = section_name(c, item, sections[i].answer);
    note_needs(r, item);
    r->sets_seen = r->sets_seen || sections[i].seen;
    return true;
}

/* --- the list --- */

/* PREVIEW, maybe with a list of modifiers behind it, which is *a then. What else the list may be
 * are the modifiers of FETCH. */
static bool add_preview(struct imap_command *c, struct fetch_request *r,
                        const struct imap_argument **a)
{
    const struct imap_argument *list = (*a)->next;
    add_by_name(c, r, "PREVIEW");
    r->summary |= SUMMARY_PREVIEW;
    if (!list || list->type != IMAP_LIST || !imap_argument_is(list->children, "LAZY")) {
        r->eager |= SUMMARY_PREVIEW;
        return true;
    }
    if (list->children->next)
        imap_expected(c, list->children->next, "LAZY alone");
    *a = list;
    return c->status == IMAP_PENDING;
}

static bool take_item(struct imap_command *c, struct fetch_request *r,
                      const struct imap_argument *a)
{
    if (a->type == IMAP_ATOM && a->has_section)
        return add_section(c, r, a);
    if (a->type == IMAP_ATOM && add_by_name(c, r, arena_c(c->arena, a->text)))
        return true;
    imap_expected(c, a, "an item of FETCH");
    return false;
}

static bool take_macro(struct imap_command *c, struct fetch_request *r,
                       const struct imap_argument *a)
{
    for (size_t i = 0; i < COUNT(macros); i++) {
        if (!imap_argument_is(a, macros[i].name))
            continue;
        for (size_t j = 0; macros[i].items[j]; j++)
            add_by_name(c, r, macros[i].items[j]);
        return true;
    }
    return false;
}

bool fetch_take_items(struct imap_command *c, struct fetch_request *r)
{
    *r = (struct fetch_request){.end = &r->items};
    struct imap_argument *a = imap_take(c, "items of FETCH");
    if (!a)
        return false;
    if (imap_argument_is(a, "PREVIEW")) {
        const struct imap_argument *last = a;
        bool ok = add_preview(c, r, &last);
        c->next = last->next;
        return ok;
    }
    if (a->type != IMAP_LIST)
        return take_macro(c, r, a) || take_item(c, r, a);
    if (!a->children)
        imap_expected(c, a, "items of FETCH in the list");
    for (const struct imap_argument *child = a->children; child; child = child->next)
        if (imap_argument_is(child, "PREVIEW") ? !add_preview(c, r, &child)
                                               : !take_item(c, r, child))
            return false;
    return a->children != NULL;
}
