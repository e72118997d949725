#pragma once
/*
 * Where items go: a domain, the relay host, or "here".
 */
#include "queue/ready_list.h"

struct scheduler;

struct destination {
    char *key;               /* first: the table compares by it; "" : here */
    struct ready_list ready; /* items */
    struct link runnable; /* in the scheduler's list: has ready items and may have a connection */
    size_t items, connections;
};

/* The one with this key, made when there is none. */
struct destination *destination_get(struct scheduler *s, struct str key);
/* Frees it when nothing refers to it any more. */
void destination_release(struct scheduler *s, struct destination *d);
/* After any change: puts it into the list of runnable destinations or takes it out. */
void destination_update(struct scheduler *s, struct destination *d);
/* The same for all. */
void destination_update_all(struct scheduler *s);
