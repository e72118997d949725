/*
 * A compiled search over the messages of a mailbox. Each message is evaluated at the cheapest level
 * that decides it: what is in memory, then its header, then its content. Others run every few
 * milliseconds, and what is not small is parsed and searched on a worker.
 */
#include "imap/body.h"
#include "imap/limits.h"
#include "imap/search.h"

#include "core/mem.h"
#include "core/worker.h"
#include "mime/date.h"

struct searching {
    struct search_run *run;
    struct imap_body body;
};

static bool snapshot(const struct search_run *r, uint32_t index, struct search_message *m)
{
    uint32_t uid = r->uids[index];
    const struct message *found = mailbox_find_uid(r->mailbox, uid);
    if (!found)
        return false;
    *m = (struct search_message){
        .index = index,
        .flags = found->flags,
        .keywords = found->keywords,
        .size = found->size_crlf,
        .recent = number_set_contains(&r->recent, uid),
    };
    int64_t date = found->internal_date;
    if (r->program->needs_date && date == INT64_MIN)
        date = message_internal_date(r->mailbox, uid);
    m->date = date;
    m->day = date_day(date, 0);
    return true;
}

struct content_job {
    const struct search_node *root;
    struct search_message message;
    enum search_answer answer;
};

static void search_content(void *arg, struct str bytes)
{
    struct content_job *job = arg;
    struct arena *a = arena_new();
    job->message.bytes = bytes;
    job->message.root = mime_parse(a, bytes, &mime_limits_default, false);
    job->answer = search_evaluate(job->root, &job->message, SEARCH_CONTENT);
    arena_free(a);
}

/* Is it little enough to be searched on the loop? */
static bool is_quick(const struct searching *s, size_t bytes)
{
    return bytes * s->run->program->costly <= IMAP_SEARCH_HERE;
}

static void search_header(void *arg)
{
    struct content_job *job = arg;
    job->answer = search_evaluate(job->root, &job->message, SEARCH_HEADERS);
}

static enum search_answer evaluate_header(const struct searching *s, const struct search_message *m)
{
    struct content_job job = {.root = s->run->program->root, .message = *m};
    if (is_quick(s, m->header.n))
        search_header(&job);
    else
        worker_run(WORKER_CPU, search_header, &job);
    return job.answer;
}

struct small_job {
    struct content_job *content;
    struct str bytes;
};

static void run_small_job(void *arg)
{
    struct small_job *job = arg;
    search_content(job->content, job->bytes);
}

static bool evaluate_content(struct searching *s, struct search_message *m, bool *matches,
                             struct err *e)
{
    struct content_job job = {.root = s->run->program->root, .message = *m};
    if (s->body.size > IMAP_SEARCH_WORK_MAX / s->run->program->costly)
        return err_set(e, ERR_LIMIT, "There are too many search keys for a message of %llu bytes",
                       (unsigned long long)s->body.size);
    if (!imap_body_is_small(&s->body)) {
        if (!imap_body_run_large(&s->body, search_content, &job, e))
            return false;
    } else {
        struct str header;
        if (!imap_body_read(&s->body, e) || !imap_body_header(&s->body, &header, e))
            return false;
        job.message.header = header;
        struct small_job small = {&job, buf_str(&s->body.bytes)};
        if (is_quick(s, small.bytes.n))
            run_small_job(&small);
        else
            worker_run(WORKER_CPU, run_small_job, &small);
    }
    *matches = job.answer == SEARCH_TRUE;
    return true;
}

static bool evaluate(struct searching *s, uint32_t index, bool *matches, struct err *e)
{
    struct search_message m;
    *matches = false;
    if (!snapshot(s->run, index, &m)) {
        s->run->gone = true;
        return true;
    }
    enum search_answer answer = search_evaluate(s->run->program->root, &m, SEARCH_MEMORY);
    if (answer == SEARCH_UNDECIDED) {
        if (!imap_body_open(&s->body, s->run->uids[index], e)) {
            s->run->gone = s->run->gone || e->kind == ERR_NOT_FOUND;
            return e->kind == ERR_NOT_FOUND;
        }
        if (!imap_body_header(&s->body, &m.header, e))
            return false;
        answer = evaluate_header(s, &m);
    }
    if (answer == SEARCH_UNDECIDED)
        return evaluate_content(s, &m, matches, e);
    *matches = answer == SEARCH_TRUE;
    return true;
}

static void add_found(struct search_run *r, uint32_t position)
{
    if (r->found_count == r->found_capacity) {
        r->found_capacity = r->found_capacity ? 2 * r->found_capacity : 256;
        r->found = mem_resize(r->found, r->found_capacity * sizeof *r->found);
    }
    r->found[r->found_count++] = position;
}

bool search_run(struct search_run *r, struct err *e)
{
    struct searching s = {.run = r};
    bool ok = true, matches;
    imap_body_init(&s.body, r->context, r->mailbox, NULL);
    for (size_t i = 0; ok && i < r->count && r->breathe(r->arg); i++) {
        ok = evaluate(&s, (uint32_t)i, &matches, e);
        if (ok && matches)
            add_found(r, (uint32_t)i);
    }
    imap_body_free(&s.body);
    return ok;
}
