/*
 * SEARCH (RFC 3501 6.4.4, 7.2.5) with ESEARCH (RFC 4731).
 *
 * Each message is evaluated at the cheapest level that decides it: what is in memory, then its
 * header, then its content. Others run every few milliseconds, and what is not small is parsed and
 * searched on a worker.
 */
#include "imap/body.h"
#include "imap/limits.h"
#include "imap/search.h"

#include "core/mem.h"
#include "core/worker.h"
#include "mime/date.h"

#include <stdlib.h>

enum search_return { RETURN_MIN = 1, RETURN_MAX = 2, RETURN_ALL = 4, RETURN_COUNT = 8 };

struct search {
    struct imap_command *c;
    struct imap_selected *view;
    struct search_program program;
    bool extended;
    unsigned give; /* enum search_return */
    struct imap_body body;
    uint32_t *found; /* sequence numbers or UIDs */
    size_t count, capacity;
    bool gone; /* a message was expunged: it is found by nothing */
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

/* --- one message --- */

static bool snapshot(struct search *s, uint32_t index, struct search_message *m)
{
    uint32_t uid = s->view->uids[index];
    const struct message *found = mailbox_find_uid(s->view->mailbox, uid);
    if (!found)
        return false;
    *m = (struct search_message){
        .index = index,
        .flags = found->flags,
        .keywords = found->keywords,
        .size = found->size_crlf,
        .recent = imap_selected_is_recent(s->view, uid),
    };
    int64_t date = found->internal_date;
    if (s->program.needs_date && date == INT64_MIN)
        date = message_internal_date(s->view->mailbox, uid);
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
static bool is_quick(const struct search *s, size_t bytes)
{
    return bytes * s->program.costly <= IMAP_SEARCH_HERE;
}

static void search_header(void *arg)
{
    struct content_job *job = arg;
    job->answer = search_evaluate(job->root, &job->message, SEARCH_HEADERS);
}

static enum search_answer evaluate_header(const struct search *s, const struct search_message *m)
{
    struct content_job job = {.root = s->program.root, .message = *m};
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

static bool evaluate_content(struct search *s, struct search_message *m, bool *matches,
                             struct err *e)
{
    struct content_job job = {.root = s->program.root, .message = *m};
    if (s->body.size > IMAP_SEARCH_WORK_MAX / s->program.costly)
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

static bool evaluate(struct search *s, uint32_t index, bool *matches, struct err *e)
{
    struct search_message m;
    *matches = false;
    if (!snapshot(s, index, &m)) {
        s->gone = true;
        return true;
    }
    enum search_answer answer = search_evaluate(s->program.root, &m, SEARCH_MEMORY);
    if (answer == SEARCH_UNDECIDED) {
        if (!imap_body_open(&s->body, s->view->uids[index], e)) {
            s->gone = s->gone || e->kind == ERR_NOT_FOUND;
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

static void add_found(struct search *s, uint32_t number)
{
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 256;
        s->found = mem_resize(s->found, s->capacity * sizeof *s->found);
    }
    s->found[s->count++] = number;
}

static void search_all(struct search *s)
{
    for (size_t i = 0; i < s->view->count && imap_breathe(s->c); i++) {
        bool matches;
        struct err e;
        if (!evaluate(s, (uint32_t)i, &matches, &e)) {
            s->failed = e;
            return;
        }
        if (matches)
            add_found(s, s->c->uid ? s->view->uids[i] : (uint32_t)i + 1);
    }
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
    if (s->gone && !s->c->uid)
        imap_ok(s->c, "[EXPUNGEISSUED] Some of the messages do not exist any more");
    else
        imap_ok(s->c, "Search completed");
}

void imap_cmd_search(struct imap_command *c)
{
    struct search s = {.c = c, .view = c->session->selected};
    if (!take_return(c, &s) || !search_take_keys(c, &s.program))
        return;
    imap_body_init(&s.body, c->session, s.view->mailbox);
    search_all(&s);
    imap_body_free(&s.body);
    conclude(&s);
    free(s.found);
}
