#pragma once
/*
 * Directories in which other programs come and go: tells the loop which entries appear and
 * disappear (inotify). The kernel's queue is finite, so a watcher must be able to look for itself.
 */
#include "core/err.h"
#include "core/loop.h"

struct watch_set;

enum watch_event {
    WATCH_APPEARED, /* renamed to or linked as this name; whole, if the program is well-behaved */
    WATCH_CREATED,  /* made under this name, maybe not whole yet; or linked */
    WATCH_WRITTEN,  /* closed by a program that had it open for writing */
    WATCH_GONE,     /* removed, or renamed away */
    WATCH_LOST,     /* look for yourself: events were lost, or the directory itself went away */
};

/* Lives in its owner's struct; zeroed is a valid, unused watch. */
struct watch {
    struct watch *next;
    int id; /* 0: not watching */
    /* On the loop; must not suspend nor begin a watch; may end this one or others. name: "" for
     * WATCH_LOST. */
    void (*fn)(void *arg, enum watch_event event, const char *name);
    void *arg;
};

struct watch_set *watch_set_new(struct loop *l, struct err *e);
/* No watch may be left. NULL is allowed. */
void watch_set_free(struct watch_set *s);
/* With fn and arg set. ERR_NOT_FOUND; ERR_LIMIT: the kernel has no more watches for this user. The
 * path should have been used a moment ago, as this may ask the disk. */
bool watch_begin(struct watch_set *s, struct watch *w, const char *path, struct err *e);
/* No call will come any more. */
void watch_end(struct watch_set *s, struct watch *w);
/* Everything that has happened up to now is told before this returns. */
void watch_drain(struct watch_set *s);
