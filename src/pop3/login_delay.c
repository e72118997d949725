/*
 * A table by account that forgets who may log in again when it would have to grow: so it holds as
 * many accounts as log in within the delay, and no more.
 */
#include "pop3/login_delay.h"

#include "core/mem.h"

#include <stdlib.h>

#define SLOTS_MIN 64

struct login_time {
    int64_t account;
    usec time; /* 0: free */
};

struct login_times {
    struct login_time *slots;
    size_t size, used; /* size: a power of 2 */
};

struct login_times *login_times_new(void)
{
    struct login_times *t = MEM_NEW(struct login_times);
    *t = (struct login_times){.slots = mem_array(SLOTS_MIN, sizeof(*t->slots)), .size = SLOTS_MIN};
    return t;
}

void login_times_free(struct login_times *t)
{
    if (t)
        free(t->slots);
    free(t);
}

/* Where the account is, or would be. */
static struct login_time *find(const struct login_times *t, int64_t account)
{
    size_t i = (size_t)((uint64_t)account * 0x9e3779b97f4a7c15u >> 32) & (t->size - 1);
    while (t->slots[i].time && t->slots[i].account != account)
        i = (i + 1) & (t->size - 1);
    return &t->slots[i];
}

/* Room for one more: at most half of the slots are used. */
static void make_room(struct login_times *t, usec oldest)
{
    struct login_time *old = t->slots;
    size_t old_size = t->size, kept = 0;

    if (t->used < t->size / 2)
        return;
    for (size_t i = 0; i < old_size; i++)
        kept += old[i].time > oldest;
    t->size = SLOTS_MIN;
    while (t->size < kept * 4)
        t->size *= 2;
    t->slots = mem_array(t->size, sizeof(*t->slots));
    t->used = kept;
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].time > oldest)
            *find(t, old[i].account) = old[i];
    }
    free(old);
}

bool login_times_note(struct login_times *t, int64_t account, usec now, usec delay, usec *wait)
{
    struct login_time *slot = find(t, account);

    *wait = slot->time ? slot->time + delay - now : 0;
    if (*wait > 0)
        return false;
    *wait = 0;
    if (!slot->time) {
        make_room(t, now - delay);
        slot = find(t, account);
        t->used++;
    }
    *slot = (struct login_time){account, now};
    return true;
}
