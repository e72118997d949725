/*
 * From arguments to results and answers, for all commands that search.
 */
#include "imap/search_command.h"

#include "core/mem.h"
#include "imap/search_saved.h"
#include "imap/search_update.h"
#include "mime/header.h"
#include "store/uid_list.h"

#include <stdlib.h>

/* --- arguments --- */

void imap_search_begin(struct imap_search *s, struct imap_command *c)
{
    const struct imap_selected *v = c->session->selected;
    *s = (struct imap_search){.c = c,
                              .mailbox = v->mailbox,
                              .uids = v->uids,
                              .total = v->count,
                              .recent = {v->recent, v->recent_count}};
}

bool imap_take_charset(struct imap_command *c, struct str *charset)
{
    struct str converted;
    if (!imap_take_astring(c, "a charset", charset))
        return false;
    if (search_charset_is_utf8(*charset) ||
        charset_to_utf8(c->arena, *charset, STR("x"), &converted))
        return true;
    imap_no(c, "[BADCHARSET (US-ASCII UTF-8)] The charset is not supported");
    return false;
}

/* With UTF-8 throughout there is no other charset to name (RFC 9755 3). */
bool imap_take_search_charset(struct imap_command *c, struct str *charset)
{
    *charset = imap_session_utf8(c->session) ? STR("UTF-8") : STR("US-ASCII");
    if (!imap_argument_is(c->next, "CHARSET"))
        return true;
    if (c->session->enabled & ENABLED_UTF8) {
        imap_bad(c, "There is no CHARSET after ENABLE UTF8=ACCEPT");
        return false;
    }
    imap_take(c, "CHARSET");
    return imap_take_charset(c, charset);
}

bool imap_take_keys(struct imap_search *s, struct str charset)
{
    struct imap_command *c = s->c;
    const struct imap_selected *v = c->session->selected;
    bool here = v && v->mailbox == s->mailbox;
    struct number_set none = {0};
    struct search_scope scope = {.arena = s->update ? s->update->arena : c->arena,
                                 .mailbox = s->mailbox,
                                 .uids = s->uids,
                                 .count = s->total,
                                 .saved = here ? &v->saved : &none,
                                 .charset = charset,
                                 .uid_only = c->session->enabled & ENABLED_UIDONLY,
                                 .now = clock_wall() / USEC_SEC};
    bool ok = search_compile(&scope, c->next, &s->program);
    c->by_number = c->by_number || s->program.by_number;
    if (ok)
        c->next = NULL;
    else if (scope.refused)
        imap_no(c, "[LIMIT] %.*s", STR_ARG(scope.error));
    else
        imap_bad(c, "%.*s", STR_ARG(scope.error));
    return ok;
}

/* --- searching --- */

static bool breathe(void *arg, size_t done)
{
    const struct imap_search *s = arg;
    return imap_progress(s->c, done, s->total);
}

bool imap_search_run(struct imap_search *s)
{
    struct err e;
    if (s->program.modseq)
        imap_enable(s->c->session, ENABLED_CONDSTORE);
    size_t skip = imap_limit_skip(s->c, s->uids, s->total);
    struct search_run run = {.context = s->c->session->context,
                             .program = &s->program,
                             .mailbox = s->mailbox,
                             .uids = s->uids + skip,
                             .count = s->total - skip,
                             .recent = s->recent,
                             .breathe = breathe,
                             .arg = s};
    bool ok = search_run(&run, &e);
    s->found = run.found;
    s->count = run.found_count;
    for (size_t i = 0; i < run.found_count; i++)
        run.found[i] += (uint32_t)skip;
    s->gone = run.gone;
    if (!ok)
        imap_fail(s->c, &e, false);
    return ok;
}

void imap_search_end(struct imap_search *s)
{
    free(s->found);
    imap_update_free(s->update);
    s->found = NULL;
    s->update = NULL;
}

/* --- answers --- */

uint64_t imap_search_modseq(const struct imap_search *s, const uint32_t *order)
{
    struct esearch_referred referred = esearch_referred(&s->options, s->count);
    uint64_t highest = 0;
    if (!s->program.modseq)
        return 0;
    for (size_t i = 0; i < s->count && imap_breathe(s->c); i++) {
        const struct message *m = esearch_refers(&referred, i, s->count)
                                      ? mailbox_find_uid(s->mailbox, s->uids[order[i]])
                                      : NULL;
        if (m && m->modseq > highest)
            highest = m->modseq;
    }
    return highest;
}

uint32_t *imap_search_numbers(const struct imap_search *s, const uint32_t *order)
{
    uint32_t *numbers = mem_array(s->count + 1, sizeof *numbers);
    for (size_t i = 0; i < s->count; i++)
        numbers[i] = s->c->uid ? s->uids[order[i]] : order[i] + 1;
    return numbers;
}

struct esearch imap_search_response(const struct imap_search *s)
{
    return (struct esearch){.tag = s->c->tag,
                            .uid = s->c->uid,
                            .mailbox = s->name,
                            .uid_validity = mailbox_uid_validity(s->mailbox),
                            .naming = imap_session_naming(s->c->session),
                            .options = &s->options};
}

void imap_search_answer(const struct imap_search *s, const uint32_t *order)
{
    struct buf out = BUF_EMPTY;
    uint32_t *numbers = imap_search_numbers(s, order);
    struct esearch response = imap_search_response(s);
    response.numbers = numbers;
    response.count = s->count;
    response.modseq = imap_search_modseq(s, order);
    esearch_write(&out, &response);
    imap_write(s->c->session, buf_str(&out));
    free(numbers);
    buf_free(&out);
}

void imap_search_answer_list(const struct imap_search *s, const uint32_t *order, const char *name)
{
    struct buf out = BUF_EMPTY;
    uint64_t modseq = imap_search_modseq(s, order);
    uint32_t *numbers = imap_search_numbers(s, order);
    buf_printf(&out, "* %s", name);
    for (size_t i = 0; i < s->count; i++) {
        buf_add_char(&out, ' ');
        buf_add_number(&out, numbers[i]);
    }
    if (s->count && modseq)
        buf_printf(&out, " (MODSEQ %llu)", (unsigned long long)modseq);
    buf_add_c(&out, "\r\n");
    imap_write(s->c->session, buf_str(&out));
    free(numbers);
    buf_free(&out);
}

static bool save(struct imap_search *s, const uint32_t *order)
{
    struct imap_selected *v = s->c->session->selected;
    struct esearch_referred referred = esearch_referred(&s->options, s->count);
    if (referred.all)
        return imap_saved_keep(v, s->found, s->count);
    uint32_t *kept = mem_array(s->count + 1, sizeof *kept);
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++)
        if (esearch_refers(&referred, i, s->count))
            kept[count++] = order[i];
    qsort(kept, count, sizeof *kept, uid_compare);
    bool ok = imap_saved_keep(v, kept, count);
    free(kept);
    return ok;
}

void imap_search_conclude(struct imap_search *s, const uint32_t *order)
{
    struct imap_command *c = s->c;
    if (s->options.give & RETURN_SAVE && !save(s, order))
        imap_no(c, "[NOTSAVED] The result is too large to be saved");
    else if (s->gone && !c->uid)
        imap_ok(c, "[EXPUNGEISSUED] Some of the messages do not exist any more");
    else
        imap_ok(c, "%s completed", c->entry->name);
}
