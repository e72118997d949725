/*
 * THREAD (RFC 5256) with ORDEREDSUBJECT, REFERENCES and REFS.
 */
#include "imap/search_command.h"
#include "imap/sort.h"
#include "imap/thread.h"

#include "core/worker.h"

struct threading {
    struct imap_search search;
    struct threads *threads;
    struct buf out;
};

static bool take_algorithm(struct imap_command *c, enum thread_algorithm *algorithm)
{
    static const char *const names[] = {[THREAD_ORDEREDSUBJECT] = "ORDEREDSUBJECT",
                                        [THREAD_REFERENCES] = "REFERENCES",
                                        [THREAD_REFS] = "REFS"};
    struct imap_argument *a = imap_take(c, "a threading algorithm");
    size_t i = 0;
    while (a && i < 3 && !imap_argument_is(a, names[i]))
        i++;
    if (!a || i == 3) {
        imap_expected(c, a, "ORDEREDSUBJECT, REFERENCES or REFS");
        return false;
    }
    *algorithm = (enum thread_algorithm)i;
    return true;
}

static bool add(void *arg, uint32_t position, const struct message *m,
                const struct message_summary *summary)
{
    struct threading *t = arg;
    struct imap_command *c = t->search.c;
    threads_add(t->threads, c->uid ? m->uid : position + 1, sort_date(summary, m->internal_date),
                m->internal_date, summary->header);
    if (t->threads->too_many)
        imap_no(c, "[LIMIT] The messages refer to too many others");
    return !t->threads->too_many;
}

/* On a worker. */
static void build(void *arg)
{
    struct threading *t = arg;
    buf_add_c(&t->out, "* THREAD");
    if (t->threads->count)
        buf_add_char(&t->out, ' ');
    threads_build(t->threads);
    threads_write(t->threads, &t->out);
    buf_add_c(&t->out, "\r\n");
}

static void run(struct threading *t, enum thread_algorithm algorithm)
{
    struct result_reader reader = {
        .search = &t->search, .fields = SUMMARY_FIXED | SUMMARY_HEADER, .fn = add, .arg = t};
    t->threads = threads_new(algorithm);
    if (imap_search_run(&t->search) && imap_read_results(&reader)) {
        worker_run(WORKER_CPU, build, t);
        imap_write(t->search.c->session, buf_str(&t->out));
        imap_search_conclude(&t->search, NULL);
    }
    threads_free(t->threads);
    buf_free(&t->out);
    imap_search_end(&t->search);
}

void imap_cmd_thread(struct imap_command *c)
{
    struct threading t = {.out = BUF_EMPTY};
    enum thread_algorithm algorithm;
    struct str charset;
    imap_search_begin(&t.search, c);
    if (take_algorithm(c, &algorithm) && imap_take_charset(c, &charset) &&
        imap_take_keys(&t.search, charset))
        run(&t, algorithm);
}
