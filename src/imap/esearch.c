/*
 * Return options, and the ESEARCH response. Results are written in set syntax; of a sorted result
 * only what stands in ascending order next to each other becomes a range (RFC 5267 3.2).
 */
#include "imap/esearch.h"

#include "imap/command.h"

/* --- options --- */

static const struct {
    const char *name;
    enum return_option option;
} names[] = {
    {"MIN", RETURN_MIN},         {"MAX", RETURN_MAX},       {"ALL", RETURN_ALL},
    {"COUNT", RETURN_COUNT},     {"SAVE", RETURN_SAVE},     {"PARTIAL", RETURN_PARTIAL},
    {"CONTEXT", RETURN_CONTEXT}, {"UPDATE", RETURN_UPDATE},
};
#define NAMES (sizeof names / sizeof *names)

static bool take_partial(struct imap_command *c, const struct imap_argument *a,
                         struct return_options *o)
{
    if (o->give & RETURN_PARTIAL) {
        imap_bad(c, "There may be one PARTIAL only");
        return false;
    }
    if (!a || a->type != IMAP_ATOM || !partial_parse(a->text, &o->partial)) {
        imap_expected(c, a, "a range of results as in 1:500 or -1:-100");
        return false;
    }
    return true;
}

static bool take_options(struct imap_command *c, const struct imap_argument *a,
                         struct return_options *o)
{
    for (; a; a = a->next) {
        size_t i = 0;
        while (i < NAMES && !imap_argument_is(a, names[i].name))
            i++;
        if (i == NAMES) {
            imap_expected(c, a, "MIN, MAX, ALL, COUNT, SAVE, PARTIAL, CONTEXT or UPDATE");
            return false;
        }
        if (names[i].option == RETURN_PARTIAL && !take_partial(c, a = a->next, o))
            return false;
        if (names[i].option == RETURN_UPDATE && a->next && a->next->type == IMAP_LIST)
            o->fetch = a = a->next;
        o->give |= names[i].option;
    }
    return true;
}

bool imap_take_return(struct imap_command *c, struct return_options *o)
{
    if (!imap_argument_is(c->next, "RETURN"))
        return true;
    imap_take(c, "RETURN");
    struct imap_argument *list = imap_take(c, "a list of return options");
    if (!list || list->type != IMAP_LIST) {
        imap_expected(c, list, "a list of return options");
        return false;
    }
    o->extended = true;
    if (!take_options(c, list->children, o))
        return false;
    if (o->give & RETURN_PARTIAL && o->give & RETURN_ALL) {
        imap_bad(c, "ALL and PARTIAL exclude each other");
        return false;
    }
    if (!o->give)
        o->give = RETURN_ALL;
    return true;
}

/* --- what is referred to --- */

struct esearch_referred esearch_referred(const struct return_options *o, size_t count)
{
    const unsigned some = RETURN_MIN | RETURN_MAX | RETURN_PARTIAL;
    struct esearch_referred r = {.first = o->give & RETURN_MIN, .last = o->give & RETURN_MAX};
    r.all = o->give & (RETURN_ALL | RETURN_COUNT) || !(o->give & some);
    if (o->give & RETURN_PARTIAL)
        partial_window(&o->partial, count, &r.from, &r.end);
    return r;
}

/* --- the response --- */

void esearch_write_start(struct buf *out, const struct esearch *r)
{
    buf_add_c(out, "* ESEARCH (TAG ");
    imap_write_string(out, r->tag);
    if (r->mailbox.p) {
        buf_add_c(out, " MAILBOX ");
        imap_write_mailbox(out, r->mailbox, r->naming);
        buf_printf(out, " UIDVALIDITY %u", r->uid_validity);
    }
    buf_add_c(out, r->uid ? ") UID" : ")");
}

static void write_partial(struct buf *out, const struct esearch *r)
{
    size_t first, end;
    partial_window(&r->options->partial, r->count, &first, &end);
    buf_printf(out, " PARTIAL (%.*s ", STR_ARG(r->options->partial.text));
    if (first < end)
        number_set_write(out, r->numbers + first, end - first);
    else
        buf_add_c(out, "NIL");
    buf_add_char(out, ')');
}

void esearch_write(struct buf *out, const struct esearch *r)
{
    unsigned give = r->options->give;
    if (give == RETURN_SAVE)
        return;
    esearch_write_start(out, r);
    if (r->count && give & RETURN_MIN)
        buf_printf(out, " MIN %u", r->numbers[0]);
    if (r->count && give & RETURN_MAX)
        buf_printf(out, " MAX %u", r->numbers[r->count - 1]);
    if (give & RETURN_COUNT)
        buf_printf(out, " COUNT %zu", r->count);
    if (r->count && give & RETURN_ALL) {
        buf_add_c(out, " ALL ");
        number_set_write(out, r->numbers, r->count);
    }
    if (give & RETURN_PARTIAL)
        write_partial(out, r);
    if (r->count && r->modseq)
        buf_printf(out, " MODSEQ %llu", (unsigned long long)r->modseq);
    buf_add_c(out, "\r\n");
}
