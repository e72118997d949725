/*
 * Threads by subject (RFC 5256): ORDEREDSUBJECT, where all messages of a subject are one thread,
 * and step 5 of REFERENCES, where threads of the same subject are joined.
 */
#include "imap/thread.h"

#include "core/mem.h"

#include <stdlib.h>

/* --- ORDEREDSUBJECT --- */

static bool is_earlier(const struct threads *t, uint32_t a, uint32_t b)
{
    return t->items[a].sent < t->items[b].sent || (t->items[a].sent == t->items[b].sent && a < b);
}

/* The earliest message of a subject is the parent of all others. */
void threads_order_subjects(struct threads *t)
{
    uint32_t *heads = mem_array(t->subjects.count + 1, sizeof *heads);
    for (uint32_t i = 0; i <= t->subjects.count; i++)
        heads[i] = THREAD_NONE;
    for (uint32_t i = 0; i < t->count; i++) {
        uint32_t *head = &heads[t->items[i].subject];
        if (*head == THREAD_NONE || is_earlier(t, i, *head))
            *head = i;
    }
    for (uint32_t i = 0; i < t->count; i++)
        if (heads[t->items[i].subject] != i)
            t->items[i].parent = heads[t->items[i].subject];
    free(heads);
}

/* --- REFERENCES, step 5 --- */

static bool is_dummy(const struct threads *t, uint32_t item)
{
    return t->items[item].number == 0;
}

static uint32_t thread_subject(const struct threads *t, uint32_t item)
{
    return t->items[is_dummy(t, item) ? t->items[item].first : item].subject;
}

/* 5.B: the message that each subject is joined to. */
static void choose(const struct threads *t, uint32_t *table)
{
    for (uint32_t i = t->items[t->root].first; i != THREAD_NONE; i = t->items[i].next) {
        uint32_t *there = &table[thread_subject(t, i)];
        if (*there == THREAD_NONE ||
            (!is_dummy(t, *there) &&
             (is_dummy(t, i) || (t->items[*there].is_reply && !t->items[i].is_reply))))
            *there = i;
    }
}

/* The children of one dummy to another. */
static void move_children(struct threads *t, uint32_t from, uint32_t to)
{
    uint32_t next;
    for (uint32_t i = t->items[from].first; i != THREAD_NONE; i = next) {
        next = t->items[i].next;
        thread_append(t, to, i);
    }
    t->items[from].first = t->items[from].last = THREAD_NONE;
}

/* 5.C: what becomes of `item`, which is not the one in the table and has been taken from the
 * root's list. */
static void join(struct threads *t, uint32_t *there, uint32_t item)
{
    if (is_dummy(t, *there) && is_dummy(t, item)) {
        move_children(t, item, *there);
    } else if (is_dummy(t, *there) || (t->items[item].is_reply && !t->items[*there].is_reply)) {
        thread_append(t, *there, item);
    } else {
        uint32_t dummy = threads_add_dummy(t);
        thread_append(t, dummy, *there);
        thread_append(t, dummy, item);
        *there = dummy;
    }
}

void threads_join_subjects(struct threads *t)
{
    size_t subjects = t->subjects.count + 1, count = 0;
    uint32_t *table = mem_array(subjects, sizeof *table);
    uint32_t *heads = mem_array(t->count, sizeof *heads);
    for (size_t i = 0; i < subjects; i++)
        table[i] = THREAD_NONE;
    choose(t, table);
    for (uint32_t i = t->items[t->root].first; i != THREAD_NONE; i = t->items[i].next)
        heads[count++] = i;
    t->items[t->root].first = t->items[t->root].last = THREAD_NONE;
    for (size_t i = 0; i < count; i++) {
        uint32_t subject = thread_subject(t, heads[i]);
        if (!subject)
            thread_append(t, t->root, heads[i]);
        else if (table[subject] != heads[i])
            join(t, &table[subject], heads[i]);
    }
    for (size_t i = 1; i < subjects; i++)
        if (table[i] != THREAD_NONE)
            thread_append(t, t->root, table[i]);
    free(table);
    free(heads);
}
