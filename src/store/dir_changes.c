/*
 * A job often changes the same directory many times: it is looked at once before and once after.
 */
#include "store/dir_changes.h"

#include "core/mem.h"

#include <stdlib.h>

void dir_changes_add(struct dir_changes *c, struct mailbox *m, enum file_place place)
{
    struct dir_watch *w = place == FILE_CUR ? &m->cur : &m->new;

    if (w->job == c)
        return;
    c->list = mem_grow(c->list, c->count, &c->capacity, sizeof(*c->list), 4);
    w->job = c;
    dir_watch_begin(m, w);
    c->list[c->count++] = (struct dir_change){
        .watch = w, .mailbox = m, .dir = m->dir, .name = place == FILE_CUR ? "cur" : "new"};
}

static void read_stamps(struct dir_changes *c, bool after)
{
    struct buf path = BUF_EMPTY;

    for (size_t i = 0; i < c->count; i++) {
        struct dir_change *d = &c->list[i];
        buf_clear(&path);
        buf_add_c(&path, d->dir);
        buf_add_char(&path, '/');
        buf_add_c(&path, d->name);
        *(after ? &d->after : &d->before) = dir_stamp_read(buf_c(&path));
    }
    buf_free(&path);
}

void dir_changes_before(struct dir_changes *c)
{
    read_stamps(c, false);
}

void dir_changes_after(struct dir_changes *c)
{
    read_stamps(c, true);
}

void dir_changes_end(struct dir_changes *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct dir_watch *w = c->list[i].watch;
        if (w->job == c)
            w->job = NULL;
        dir_watch_end(c->list[i].mailbox, w, &c->list[i].before, &c->list[i].after);
    }
    free(c->list);
    *c = (struct dir_changes){0};
}
