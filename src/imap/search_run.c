/*
 * A compiled search over the messages of a mailbox. Each message is evaluated at the cheapest level
 * that decides it: what is in memory, then its header, then its content. The first happens here,
 * with a word to the others every few milliseconds, and so does the second if the mailbox's
 * summaries hold all the fields that keys ask for. Else the files are read and evaluated on workers
 * (store/scan.h), many at a time, on a copy of what the mailbox knows of each.
 *
 * The messages are taken in portions, so that memory is bounded whatever the size of the mailbox.
 */
#include "imap/limits.h"
#include "imap/search.h"

#include "core/mem.h"
#include "mime/date.h"
#include "mime/header.h"
#include "store/scan.h"
#include "store/summary.h"

#include <stdlib.h>

/* A message that memory does not decide. */
struct candidate {
    uint32_t position, uid;
    bool refused; /* too much work */
    enum search_answer answer;
    struct search_message message;
};

struct searching {
    size_t first; /* of the portion, in the run's list */
    struct search_run *run;
    struct candidate *candidates;
    size_t count;
    uint32_t *uids; /* of the candidates that are being scanned, and which these are */
    uint32_t *which;
    bool stopped;
};

/* --- what memory knows --- */

static bool snapshot(const struct search_run *r, uint32_t index, struct search_message *m)
{
    uint32_t uid = r->uids[index];
    const struct message *found = mailbox_find_uid(r->mailbox, uid);
    if (!found)
        return false;
    search_refresh(r->program, r->mailbox);
    *m = (struct search_message){
        .uid = uid,
        .flags = found->flags,
        .keywords = found->keywords,
        .size = found->size_crlf,
        .modseq = found->modseq,
        .recent = number_set_contains(&r->recent, uid),
    };
    int64_t date = found->internal_date, save_date = found->save_date;
    if (r->program->needs_date && date == INT64_MIN)
        date = message_internal_date(r->mailbox, uid);
    m->date = date;
    m->save_date = save_date;
    if (r->program->needs_save_date && save_date == INT64_MIN)
        m->save_date = message_save_date(r->mailbox, uid);
    m->day = date_day(date, 0);
    return true;
}

static void take_portion(struct searching *s, size_t first, size_t end)
{
    struct search_run *r = s->run;
    s->first = first;
    s->count = 0;
    for (size_t i = first; i < end && !s->stopped; i++) {
        struct candidate *c = &s->candidates[s->count];
        s->stopped = !r->breathe(r->arg, s->first);
        if (!snapshot(r, (uint32_t)i, &c->message)) {
            r->gone = true;
            continue;
        }
        c->position = (uint32_t)i;
        c->uid = r->uids[i];
        c->refused = false;
        c->answer = search_evaluate(r->program->root, &c->message, SEARCH_MEMORY);
        s->count += c->answer != SEARCH_FALSE;
    }
}

/* Fills uids and which. */
static size_t list_undecided(struct searching *s)
{
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->candidates[i].answer == SEARCH_UNDECIDED) {
            s->uids[count] = s->candidates[i].uid;
            s->which[count++] = (uint32_t)i;
        }
    return count;
}

/* --- in summaries --- */

static void take_summary(struct candidate *c, enum search_level level,
                         const struct message_summary *summary)
{
    if (level == SEARCH_HEADERS) {
        c->message.header = summary->header;
        return;
    }
    memcpy(c->message.id, summary->hash, sizeof c->message.id);
    memcpy(c->message.thread, summary->thread, sizeof c->message.thread);
}

static bool evaluate_summary(struct searching *s, struct summary_reader *reader,
                             enum search_level level, struct candidate *c, struct err *e)
{
    struct message_summary summary;
    struct err error;
    s->stopped = !s->run->breathe(s->run->arg, c->position);
    if (s->stopped)
        return true;
    if (summary_read(reader, c->uid, &summary, &error)) {
        take_summary(c, level, &summary);
        c->answer = search_evaluate(s->run->program->root, &c->message, level);
        return true;
    }
    c->answer = SEARCH_FALSE;
    s->run->gone = s->run->gone || error.kind == ERR_NOT_FOUND;
    if (error.kind != ERR_NOT_FOUND && e)
        *e = error;
    return error.kind == ERR_NOT_FOUND;
}

/* With these fields of summaries, up to that level. */
static bool search_summaries(struct searching *s, unsigned fields, enum search_level level,
                             struct err *e)
{
    struct summary_reader *reader = summary_reader_new(s->run->mailbox, fields);
    size_t count = list_undecided(s);
    bool ok = true;
    summary_reader_expect(reader, s->uids, count);
    for (size_t i = 0; i < count && ok && !s->stopped; i++)
        ok = evaluate_summary(s, reader, level, &s->candidates[s->which[i]], e);
    summary_reader_free(reader);
    return ok;
}

/* --- on workers --- */

/* Reading costs the same whatever the number of keys, looking does not. */
static bool is_too_much(const struct searching *s, struct str bytes)
{
    return bytes.n > IMAP_SEARCH_WORK_MAX / s->run->program->costly;
}

static void look_at_header(void *arg, const struct scan_message *m)
{
    struct searching *s = arg;
    struct candidate *c = &s->candidates[s->which[m->index]];
    struct search_message message = c->message;
    message.header = m->bytes;
    c->answer = search_evaluate(s->run->program->root, &message, SEARCH_HEADERS);
}

static void look_at_content(void *arg, const struct scan_message *m)
{
    struct searching *s = arg;
    struct candidate *c = &s->candidates[s->which[m->index]];
    struct search_message message = c->message;
    size_t end;
    c->refused = is_too_much(s, m->bytes);
    if (c->refused)
        return;
    message.header = header_find_end(m->bytes, NULL, &end) ? str_head(m->bytes, end) : m->bytes;
    message.header = str_head(message.header, IMAP_HEADER_MAX);
    message.bytes = m->bytes;
    message.root = mime_parse(m->arena, m->bytes, &mime_limits_default, false);
    c->answer = search_evaluate(s->run->program->root, &message, SEARCH_CONTENT);
}

static bool progress(void *arg, size_t done)
{
    struct searching *s = arg;
    size_t position = done > 0 ? s->candidates[s->which[done - 1]].position : s->first;
    s->stopped = !s->run->breathe(s->run->arg, position);
    return !s->stopped;
}

/* Evaluates those that are undecided. Who is missing stays undecided. */
static bool scan(struct searching *s, enum scan_part part, struct err *e)
{
    size_t count = list_undecided(s);
    struct mailbox_scan scan = {.mailbox = s->run->mailbox,
                                .uids = s->uids,
                                .count = count,
                                .part = part,
                                .fn = part == SCAN_HEADER ? look_at_header : look_at_content,
                                .progress = progress,
                                .arg = s};
    if (count && !s->stopped && !mailbox_scan(&scan, e))
        return s->stopped;
    if (scan.first_error.kind && e)
        *e = scan.first_error;
    s->run->gone = s->run->gone || scan.missing;
    return !scan.first_error.kind;
}

/* --- all together --- */

static void add_found(struct search_run *r, uint32_t position)
{
    r->found = mem_grow(r->found, r->found_count, &r->found_capacity, sizeof(*r->found), 256);
    r->found[r->found_count++] = position;
}

static bool add_portion(struct searching *s, struct err *e)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct candidate *c = &s->candidates[i];
        if (c->refused)
            return err_set(e, ERR_LIMIT,
                           "There are too many search keys for a message of %llu bytes",
                           (unsigned long long)c->message.size);
        if (c->answer == SEARCH_TRUE)
            add_found(s->run, c->position);
    }
    return true;
}

/* What the keys look into. */
struct needs {
    bool identity, header, content;
    bool other_fields; /* that summaries do not keep */
};

static void find_needs(const struct search_node *node, struct needs *n)
{
    bool field = node->kind == SEARCH_HEADER || node->kind == SEARCH_ADDRESS;
    bool sent = node->kind >= SEARCH_SENTBEFORE && node->kind <= SEARCH_SENTSINCE;
    n->identity = n->identity || node->kind == SEARCH_EMAILID || node->kind == SEARCH_THREADID;
    n->header = n->header || field || sent;
    n->other_fields = n->other_fields || (field && !summary_keeps_header(node->field));
    n->content = n->content || node->kind == SEARCH_BODY || node->kind == SEARCH_TEXT;
    for (const struct search_node *child = node->children; child; child = child->next)
        find_needs(child, n);
}

static bool search_headers(struct searching *s, const struct needs *needs, struct err *e)
{
    bool here = !needs->other_fields && s->run->program->costly <= IMAP_SEARCH_KEYS_HERE;
    return here ? search_summaries(s, SUMMARY_HEADER, SEARCH_HEADERS, e) : scan(s, SCAN_HEADER, e);
}

static bool search_portions(struct searching *s, size_t portion, struct err *e)
{
    struct needs needs = {0};
    find_needs(s->run->program->root, &needs);
    for (size_t i = 0; i < s->run->count && !s->stopped; i += portion) {
        size_t left = s->run->count - i;
        take_portion(s, i, i + (left < portion ? left : portion));
        if (needs.identity && !search_summaries(s, SUMMARY_FIXED, SEARCH_IDENTITY, e))
            return false;
        if (needs.header && !search_headers(s, &needs, e))
            return false;
        if (needs.content && !scan(s, SCAN_WHOLE, e))
            return false;
        if (!add_portion(s, e))
            return false;
    }
    return true;
}

bool search_run(struct search_run *r, struct err *e)
{
    size_t portion = r->count < IMAP_SEARCH_PORTION ? r->count : IMAP_SEARCH_PORTION;
    struct searching s = {.run = r};
    s.candidates = mem_array(portion + 1, sizeof *s.candidates);
    s.uids = mem_array(portion + 1, sizeof *s.uids);
    s.which = mem_array(portion + 1, sizeof *s.which);
    bool ok = search_portions(&s, portion, e);
    free(s.candidates);
    free(s.uids);
    free(s.which);
    return ok;
}
