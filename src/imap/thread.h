#pragma once
/*
 * Threads (RFC 5256): messages are added in the order of the mailbox with what the algorithms look
 * at, then the threads are built, then written. Pure; building is long and for a worker.
 *
 *   thread_input.c    identifiers and subjects become numbers
 *   thread_link.c     parents and children by references: steps 1 to 3
 *   thread_subject.c  joining by subject: step 5, and ORDEREDSUBJECT
 *   thread_tree.c     lists of siblings: their order, and the response
 */
#include "core/buf.h"
#include "imap/intern.h"

enum thread_algorithm {
    THREAD_ORDEREDSUBJECT,
    THREAD_REFERENCES,
    /* As REFERENCES without joining by subject, threads in the order of their newest message
     * (draft-ietf-morg-inthread). */
    THREAD_REFS,
};

#define THREAD_NONE UINT32_MAX

/* A message, or a dummy that stands for one which is not there and holds siblings together. */
struct thread_item {
    int64_t sent, arrived;
    uint32_t number;  /* as it is told; 0: a dummy */
    uint32_t node;    /* of its identifier */
    uint32_t subject; /* 0: empty */
    bool is_reply;
    uint32_t references, reference_count; /* in `references` */
    /* the tree */
    uint32_t parent, first, last, next;
};

struct threads {
    enum thread_algorithm algorithm;
    struct thread_item *items; /* messages, then dummies, then the root */
    size_t count, capacity;
    uint32_t root;
    /* Identifiers: each is a node, and each message has one of its own. */
    struct intern identifiers, subjects;
    uint32_t *node_items; /* THREAD_NONE: no message has it */
    size_t node_count, node_capacity;
    uint32_t *references; /* nodes */
    size_t reference_count, reference_capacity;
    struct buf text; /* scratch */
    bool too_many;   /* identifiers: the result would not be right */
};

struct threads *threads_new(enum thread_algorithm algorithm);
void threads_free(struct threads *t);
/* Dates in seconds. The header block need hold the fields Subject, Message-ID, References and
 * In-Reply-To only. */
void threads_add(struct threads *t, uint32_t number, int64_t sent, int64_t arrived,
                 struct str header);
void threads_build(struct threads *t);
/* "(2)(3 6 (4 23)(44 7 96))", appended. */
void threads_write(const struct threads *t, struct buf *out);

/* --- between these files --- */

uint32_t threads_add_dummy(struct threads *t);
/* Steps 1 to 3: sets parents, makes the dummies that stay. */
void threads_link(struct threads *t);
/* Step 5, on the sorted children of the root. */
void threads_join_subjects(struct threads *t);
void threads_order_subjects(struct threads *t);
void thread_append(struct threads *t, uint32_t parent, uint32_t child);
/* Makes the lists of children from the items' parents; of THREAD_NONE, the root's. */
void threads_make_lists(struct threads *t);
void thread_sort_children(struct threads *t, uint32_t parent);
