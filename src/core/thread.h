#pragma once
/*
 * Threads of a part's own, for libraries that wait longer than a worker may (worker.h), and the way
 * back from them to the loop. Such a thread touches nothing of the loop's but through an inbox.
 */
#include "core/err.h"

#include <pthread.h>
#include <stddef.h>

struct loop;

/* A thread with that much stack; signals stay with the loop's thread. thread NULL: nobody will join
 * it. Returns 0, or what went wrong as errno has it. */
int thread_create(pthread_t *thread, size_t stack, void *(*fn)(void *arg), void *arg);

/* Runs fn(arg) on a thread that nobody waits for. name: up to 15 characters, for the debugger. */
bool thread_start(const char *name, void (*fn)(void *arg), void *arg, struct err *e);

/* What threads send to the loop: notes, which lie in the sender's structs. */
struct thread_note {
    struct thread_note *next; /* private */
    void (*fn)(struct thread_note *n);
};

struct thread_inbox;
/* One reference is the caller's; each thread that sends has its own. */
struct thread_inbox *thread_inbox_new(struct loop *l, struct err *e);
struct thread_inbox *thread_inbox_ref(struct thread_inbox *b);
void thread_inbox_unref(struct thread_inbox *b);
/* From any thread: fn(n) is called on the loop, notes in order. False: the inbox is closed, and
 * nothing was done. */
bool thread_inbox_post(struct thread_inbox *b, struct thread_note *n);
/* On the loop: what was sent before is delivered now, later notes are refused. */
void thread_inbox_close(struct thread_inbox *b);
