#pragma once
/*
 * What is ready to be sent to one destination, and what comes next: by priority (MT-PRIORITY, RFC
 * 6710 5.1), in turn among the senders, small mail before and beside a sender's large mailings.
 */
#include "queue/queue_internal.h"

#define FAIR_PRIORITY_MAX 9
/* Above all priorities: reports. */
#define FAIR_URGENT (FAIR_PRIORITY_MAX + 1)

struct fair_flow;

/* In the thing that is in the list. */
struct fair_entry {
    struct link link;
    struct fair_flow *flow;
};

struct fair_list {
    struct fair_level *levels; /* that have entries; highest priority first */
    size_t count, small;       /* entries; those that are no bulk */
    unsigned turns;
};

/* Zeroed is valid. sender: any number that stands for who sent it. bulk: one of many. */
void fair_list_add(struct fair_list *l, struct fair_entry *entry, int priority, uint64_t sender,
                   bool bulk);
void fair_list_remove(struct fair_list *l, struct fair_entry *entry, bool bulk);
/* The one whose turn it is, which stays in the list until it is removed; NULL: none. Each call is
 * a turn. */
struct fair_entry *fair_list_next(struct fair_list *l);
static inline bool fair_list_is_empty(const struct fair_list *l)
{
    return l->count == 0;
}
bool fair_list_has_urgent(const struct fair_list *l);
