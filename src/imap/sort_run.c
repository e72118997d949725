/*
 * Going over the results of a search for their keys, and sorting them. Reading summaries and
 * computing keys happens here, with a word to the others every half millisecond; the sorting itself
 * on a worker, over the table alone.
 */
#include "imap/search_command.h"
#include "imap/sort.h"

#include "core/mem.h"
#include "core/worker.h"

#include <stdlib.h>

enum outcome { READ, GONE, FAILED };

/* A copy, since reading may suspend; with its date. */
static enum outcome read_one(const struct result_reader *r, struct summary_reader *reader,
                             uint32_t uid, struct message *m, struct message_summary *summary,
                             struct err *e)
{
    struct mailbox *mailbox = r->search->mailbox;
    if (reader && !summary_read(reader, uid, summary, e))
        return e->kind == ERR_NOT_FOUND ? GONE : FAILED;
    const struct message *found = mailbox_find_uid(mailbox, uid);
    if (!found)
        return GONE;
    *m = *found;
    if (m->internal_date == INT64_MIN)
        m->internal_date = message_internal_date(mailbox, uid);
    return READ;
}

static bool read_all(struct result_reader *r, struct summary_reader *reader)
{
    struct imap_search *s = r->search;
    struct message_summary summary;
    struct message m;
    struct err e;
    size_t count = s->count;
    s->count = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t position = s->found[i];
        if (!imap_breathe(s->c)) {
            imap_no(s->c, "[UNAVAILABLE] The session is over");
            return false;
        }
        enum outcome outcome = read_one(r, reader, s->uids[position], &m, &summary, &e);
        if (outcome == FAILED) {
            imap_fail(s->c, &e, false);
            return false;
        }
        s->gone = s->gone || outcome == GONE;
        if (outcome == GONE)
            continue;
        s->found[s->count++] = position;
        if (!r->fn(r->arg, position, &m, reader ? &summary : NULL))
            return false;
    }
    return true;
}

bool imap_read_results(struct result_reader *r)
{
    struct imap_search *s = r->search;
    if (!r->fields)
        return read_all(r, NULL);
    struct summary_reader *reader = summary_reader_new(s->mailbox, r->fields);
    uint32_t *uids = mem_array(s->count + 1, sizeof *uids);
    for (size_t i = 0; i < s->count; i++)
        uids[i] = s->uids[s->found[i]];
    summary_reader_expect(reader, uids, s->count);
    bool ok = read_all(r, reader);
    summary_reader_free(reader);
    free(uids);
    return ok;
}

/* --- sorting --- */

struct sorting {
    struct sort_table *table;
    uint32_t *numbers;
};

static bool add(void *arg, uint32_t position, const struct message *m,
                const struct message_summary *summary)
{
    struct sorting *s = arg;
    (void)position;
    sort_table_add(s->table, m->internal_date, m->size_crlf, summary);
    return true;
}

static void sort(void *arg)
{
    struct sorting *s = arg;
    sort_table_order(s->table, s->numbers);
}

uint32_t *imap_sort_results(struct imap_search *s, struct sort_table *table)
{
    struct sorting sorting = {.table = table};
    struct result_reader reader = {
        .search = s, .fields = table->program->fields, .fn = add, .arg = &sorting};
    if (!imap_read_results(&reader))
        return NULL;
    sorting.numbers = mem_array(s->count + 1, sizeof *sorting.numbers);
    worker_run(WORKER_CPU, sort, &sorting);
    return sorting.numbers;
}
