/*
 * What is paused is a short list, sorted by key, and a text file with a line for each:
 *
 *     SECONDS BY KEY
 *
 * The seconds are the time since when, "*" is the key for everything. The file is replaced as a
 * whole before the pause is in effect in memory, and a change is in effect for whatever is taken
 * next: what is under way ends as it would have.
 */
#include "queue/pause.h"

#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "queue/destination_key.h"
#include "queue/operate.h"
#include "queue/queue_internal.h"
#include "queue/scheduler.h"

#include <stdlib.h>
#include <strings.h>

struct paused {
    char *key, *by;
    usec since;
};

struct pause {
    struct paused *list;
    size_t count;
    bool all;
    struct cond changed; /* the file is not being written any more */
    bool writing;
};

struct pause *pause_new(void)
{
    return MEM_NEW(struct pause);
}

static void clear_list(struct paused *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(list[i].key);
        free(list[i].by);
    }
    free(list);
}

void pause_free(struct pause *p)
{
    clear_list(p->list, p->count);
    free(p);
}

static int compare(const void *a, const void *b)
{
    const struct paused *x = a, *y = b;
    return strcasecmp(x->key, y->key);
}

static bool has(const struct pause *p, struct str key)
{
    char *text = mem_dup(key.p, key.n);
    struct paused wanted = {.key = text};
    bool found = p->count && bsearch(&wanted, p->list, p->count, sizeof(wanted), compare);
    free(text);
    return found;
}

bool pause_covers(const struct pause *p, const char *key)
{
    if (p->count == 0 || *key == '\0')
        return false;
    struct str whole = str_from_c(key), rule = destination_key_rule(whole);
    struct str domain = destination_key_domain(whole);
    return p->all || has(p, whole) || (domain.n > 0 && has(p, domain)) ||
           (rule.n > 0 && has(p, str_head(whole, (size_t)(rule.p + rule.n - whole.p))));
}

bool pause_is_any(const struct pause *p)
{
    return p->count > 0;
}

bool pause_has_all(const struct pause *p)
{
    return p->all;
}

void queue_list_paused(const struct queue *q, struct arena *a, struct queue_pause_info **list,
                       size_t *count)
{
    const struct pause *p = q->pause;
    *list = arena_array(a, p->count + 1, sizeof(**list));
    *count = p->count;
    for (size_t i = 0; i < p->count; i++)
        (*list)[i] = (struct queue_pause_info){.key = arena_str(a, str_from_c(p->list[i].key)),
                                               .since = p->list[i].since,
                                               .by = arena_str(a, str_from_c(p->list[i].by))};
}

/* --- the list --- */

static struct paused make(struct str key, struct str by, usec since)
{
    return (struct paused){mem_dup(key.p, key.n), mem_dup(by.p, by.n), since};
}

/* A copy without the entry `key`; all of it when key is "", which stands for everything. */
static struct pause copy_without(const struct pause *p, struct str key, bool keep_all)
{
    struct pause copy = {.list = mem_array(p->count + 1, sizeof(struct paused))};
    for (size_t i = 0; i < p->count; i++) {
        struct str own = str_from_c(p->list[i].key);
        if (keep_all || (key.n > 0 && !str_equal_nocase(own, key)))
            copy.list[copy.count++] = make(own, str_from_c(p->list[i].by), p->list[i].since);
    }
    return copy;
}

static void take_list(struct pause *p, const struct pause *from)
{
    clear_list(p->list, p->count);
    p->list = from->list;
    p->count = from->count;
    p->all = false;
    for (size_t i = 0; i < p->count; i++)
        p->all = p->all || *p->list[i].key == '\0';
}

/* --- the file --- */

static struct str path_of(const struct queue *q, struct buf *b)
{
    buf_printf(b, "%s/paused", q->context.spool_dir);
    buf_c(b);
    return buf_str(b);
}

static bool read_line(struct pause *p, struct str line)
{
    uint64_t since;
    struct str first = str_split(&line, ' '), by = str_split(&line, ' ');
    if (!str_to_u64(first, &since) || since > INT64_MAX / USEC_SEC || !by.p || !line.p ||
        line.n == 0 || p->count == QUEUE_PAUSED_MAX)
        return false;
    struct str key = str_equal(line, STR("*")) ? STR("") : line;
    p->list = mem_resize(p->list, (p->count + 1) * sizeof(*p->list));
    p->list[p->count++] = make(key, by, (usec)since * USEC_SEC);
    return true;
}

static bool read_lines(struct pause *p, struct str text)
{
    bool ok = true;
    while (ok && text.n > 0) {
        struct str line = str_split(&text, '\n');
        ok = text.p && read_line(p, line); /* the last line is whole as well */
    }
    if (p->count)
        qsort(p->list, p->count, sizeof(*p->list), compare);
    return ok;
}

SUSPENDS bool pause_load(struct queue *q, struct err *e)
{
    struct buf path = BUF_EMPTY, text = BUF_EMPTY;
    struct pause read = {.count = 0};
    path_of(q, &path);
    bool ok = file_read_all(path.p, QUEUE_PAUSED_MAX * 1024, &text, e);
    if (ok && !read_lines(&read, buf_str(&text))) {
        log_error(
            "queue", NULL,
            "pauses cannot be understood file=<%s>: all sending is paused until it is resumed",
            path.p);
        read_line(&read, STR("0 maild *"));
        qsort(read.list, read.count, sizeof(*read.list), compare);
    }
    take_list(q->pause, &read);
    buf_free(&path);
    buf_free(&text);
    return ok || e->kind == ERR_NOT_FOUND;
}

SUSPENDS static bool write_list(struct queue *q, const struct pause *p, struct err *e)
{
    struct buf path = BUF_EMPTY, text = BUF_EMPTY;
    path_of(q, &path);
    for (size_t i = 0; i < p->count; i++)
        buf_printf(&text, "%lld %s %s\n", (long long)(p->list[i].since / USEC_SEC), p->list[i].by,
                   *p->list[i].key ? p->list[i].key : "*");
    bool ok = file_replace(path.p, buf_str(&text), 0600, e);
    buf_free(&path);
    buf_free(&text);
    return ok;
}

/* Takes `next`: into the file, then into effect. */
SUSPENDS static bool change(struct queue *q, struct pause *next, struct err *e)
{
    struct pause *p = q->pause;
    p->writing = true;
    bool ok = write_list(q, next, e);
    p->writing = false;
    cond_signal(&p->changed);
    if (!ok) {
        clear_list(next->list, next->count);
        return false;
    }
    take_list(p, next);
    scheduler_reload(q->scheduler, false);
    return true;
}

/* --- for operators --- */

SUSPENDS static bool wait_turn(struct pause *p, struct err *e)
{
    while (p->writing)
        if (!cond_wait(&p->changed, DEADLINE_NONE, e))
            return false;
    return true;
}

static bool is_well_formed(struct str s, size_t max)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
            return false;
    return s.n <= max;
}

SUSPENDS bool queue_pause(struct queue *q, struct str key, struct str by, struct err *e)
{
    struct pause *p = q->pause;
    if (!is_well_formed(key, 512) || str_equal(key, STR("*")) || !is_well_formed(by, 64) ||
        str_find_char(by, ' ') >= 0)
        return err_set(e, ERR_SYNTAX, "that is no destination");
    if (!wait_turn(p, e))
        return false;
    if (has(p, key))
        return err_set(e, ERR_EXISTS, "%s%.*s is paused already", key.n ? "" : "all sending",
                       STR_ARG(key));
    if (p->count >= QUEUE_PAUSED_MAX)
        return err_set(e, ERR_LIMIT, "%zu destinations are paused, that is the most", p->count);
    struct pause next = copy_without(p, key, true);
    next.list[next.count++] = make(key, by, clock_wall());
    qsort(next.list, next.count, sizeof(*next.list), compare);
    if (!change(q, &next, e))
        return false;
    log_warning("queue", NULL, "paused destination=%s%.*s by=%.*s", key.n ? "" : "all",
                STR_ARG(key), STR_ARG(by));
    return true;
}

SUSPENDS bool queue_resume(struct queue *q, struct str key, struct str by, struct err *e)
{
    struct pause *p = q->pause;
    if (!wait_turn(p, e))
        return false;
    if (key.n > 0 && !has(p, key))
        return err_set(e, ERR_NOT_FOUND, "%.*s is not paused", STR_ARG(str_head(key, 512)));
    if (p->count == 0)
        return err_set(e, ERR_NOT_FOUND, "nothing is paused");
    struct pause next = copy_without(p, key, false);
    if (!change(q, &next, e))
        return false;
    log_warning("queue", NULL, "resumed destination=%s%.*s by=%.*s", key.n ? "" : "all",
                STR_ARG(key), STR_ARG(by));
    return true;
}
