#pragma once
/*
 * What is ready to be sent to one destination: by priority (MT-PRIORITY, RFC 6710 5.1), and in the
 * order of coming within each. A list costs two pointers until something has a priority.
 */
#include "queue/queue_internal.h"

struct ready_list {
    struct link normal;  /* priority 0 */
    struct link *levels; /* of all priorities but 0; NULL: none came yet */
};

void ready_list_init(struct ready_list *l);
/* It is empty. */
void ready_list_free(struct ready_list *l);
/* priority: -9 to 9. Taken out again with link_remove. */
void ready_list_add(struct ready_list *l, struct link *item, int priority);
/* The next one, which stays in the list; NULL: none. */
struct link *ready_list_first(const struct ready_list *l);
