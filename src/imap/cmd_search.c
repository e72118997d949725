/*
 * SEARCH (RFC 3501 6.4.4, 7.2.5) with ESEARCH (RFC 4731).
 */
#include "imap/search.h"

#include "imap/command.h"
#include "mime/header.h"

#include <stdlib.h>

enum search_return { RETURN_MIN = 1, RETURN_MAX = 2, RETURN_ALL = 4, RETURN_COUNT = 8 };

struct search {
    struct imap_command *c;
    struct search_program program;
    bool extended;
    unsigned give; /* enum search_return */
    struct search_run run;
    uint32_t *found; /* of the run, made sequence numbers or UIDs */
    size_t count;
    struct err failed;
};

/* --- arguments --- */

static bool take_return(struct imap_command *c, struct search *s)
{
    static const struct {
        const char *name;
        enum search_return give;
    } options[] = {
        {"MIN", RETURN_MIN}, {"MAX", RETURN_MAX}, {"ALL", RETURN_ALL}, {"COUNT", RETURN_COUNT}};
    if (!imap_argument_is(c->next, "RETURN"))
        return true;
    c->next = c->next->next;
    struct imap_argument *list = imap_take(c, "a list of return options");
    if (!list || list->type != IMAP_LIST) {
        imap_expected(c, list, "a list of return options");
        return false;
    }
    s->extended = true;
    for (const struct imap_argument *a = list->children; a; a = a->next) {
        size_t i = 0;
        while (i < 4 && !imap_argument_is(a, options[i].name))
            i++;
        if (i == 4) {
            imap_expected(c, a, "MIN, MAX, ALL or COUNT");
            return false;
        }
        s->give |= options[i].give;
    }
    if (!s->give)
        s->give = RETURN_ALL;
    return true;
}

static bool take_charset(struct imap_command *c, struct str *charset)
{
    struct str converted;
    *charset = STR("US-ASCII");
    if (!imap_argument_is(c->next, "CHARSET"))
        return true;
    c->next = c->next->next;
    if (!imap_take_astring(c, "a charset", charset))
        return false;
    if (search_charset_is_utf8(*charset) ||
        charset_to_utf8(c->arena, *charset, STR("x"), &converted))
        return true;
    imap_no(c, "[BADCHARSET (US-ASCII UTF-8)] The charset is not supported");
    return false;
}

bool imap_take_search(struct imap_command *c, struct search_program *program)
{
    const struct imap_selected *v = c->session->selected;
    struct search_scope scope = {
        .arena = c->arena, .mailbox = v->mailbox, .uids = v->uids, .count = v->count};
    if (!take_charset(c, &scope.charset))
        return false;
    const struct imap_argument *keys = c->next;
    c->next = NULL;
    bool ok = search_compile(&scope, keys, program);
    if (!ok && scope.refused)
        imap_no(c, "[LIMIT] %.*s", STR_ARG(scope.error));
    else if (!ok)
        imap_bad(c, "%.*s", STR_ARG(scope.error));
    return ok;
}

/* --- the response --- */

static void write_search(const struct search *s, struct buf *out)
{
    buf_add_c(out, "* SEARCH");
    for (size_t i = 0; i < s->count; i++)
        buf_printf(out, " %u", s->found[i]);
    buf_add_c(out, "\r\n");
}

static void write_esearch(const struct search *s, struct buf *out)
{
    buf_add_c(out, "* ESEARCH (TAG ");
    imap_write_string(out, s->c->tag);
    buf_add_c(out, s->c->uid ? ") UID" : ")");
    if (s->count && s->give & RETURN_MIN)
        buf_printf(out, " MIN %u", s->found[0]);
    if (s->count && s->give & RETURN_MAX)
        buf_printf(out, " MAX %u", s->found[s->count - 1]);
    if (s->give & RETURN_COUNT)
        buf_printf(out, " COUNT %zu", s->count);
    if (s->count && s->give & RETURN_ALL) {
        buf_add_c(out, " ALL ");
        number_set_write(out, s->found, s->count);
    }
    buf_add_c(out, "\r\n");
}

static void conclude(struct search *s)
{
    if (s->failed.kind) {
        imap_fail(s->c, &s->failed, false);
        return;
    }
    struct buf out = BUF_EMPTY;
    if (s->extended)
        write_esearch(s, &out);
    else
        write_search(s, &out);
    imap_write(s->c->session, buf_str(&out));
    buf_free(&out);
    if (s->run.gone && !s->c->uid)
        imap_ok(s->c, "[EXPUNGEISSUED] Some of the messages do not exist any more");
    else
        imap_ok(s->c, "Search completed");
}

static bool breathe(void *arg)
{
    return imap_breathe(arg);
}

static void run(struct search *s)
{
    struct imap_selected *v = s->c->session->selected;
    s->run = (struct search_run){.context = s->c->session->context,
                                 .program = &s->program,
                                 .mailbox = v->mailbox,
                                 .uids = v->uids,
                                 .count = v->count,
                                 .recent = {v->recent, v->recent_count},
                                 .breathe = breathe,
                                 .arg = s->c};
    search_run(&s->run, &s->failed);
    s->found = s->run.found;
    s->count = s->run.found_count;
    for (size_t i = 0; i < s->count; i++)
        s->found[i] = s->c->uid ? v->uids[s->found[i]] : s->found[i] + 1;
}

void imap_cmd_search(struct imap_command *c)
{
    struct search s = {.c = c};
    if (!take_return(c, &s) || !imap_take_search(c, &s.program))
        return;
    run(&s);
    conclude(&s);
    free(s.found);
}
