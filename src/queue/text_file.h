#pragma once
/*
 * Files `text.NUMBER` in the spool directory: the texts (header lines in front, and small bodies)
 * of many waiting messages, one behind the other. A text stays where it was written; a file that
 * nobody needs any more goes, and one that is mostly needless is left for a newer one
 * (message_text.c).
 */
#include "core/buf.h"
#include "core/fiber.h"
#include "core/journal.h"
#include "core/random.h"

struct queue;

struct text_file {
    struct text_file *next; /* in order of numbers */
    uint32_t number;
    int fd; /* -1: not open */
    uint64_t size;
    uint64_t live; /* bytes that are needed */
    size_t users;  /* reading or writing */

    lsn free_after; /* nobody needs it when this is checkpointed; 0: somebody does */
};

struct text_place {
    struct text_file *file; /* NULL: nowhere */
    uint32_t offset, size;
};

/* A set of them. */
struct text_files {
    const char *dir;                   /* borrowed */
    struct text_file *first, *current; /* current: written to; NULL: none yet */
    uint32_t next_number;
    uint64_t size; /* of all */
};

/* At start: a file of that number is there. */
void text_files_found(struct text_files *t, uint32_t number, uint64_t size);
/* NULL: there is none. */
struct text_file *text_file_find(const struct text_files *t, uint32_t number);
void text_files_free(struct text_files *t);

/* Somebody needs the text at this place; does not any more (the place is nowhere then). */
void text_place_use(const struct text_place *p);
void text_place_leave(struct text_place *p);

/* Texts that are written together. Zeroed: none. */
struct text_batch {
    struct buf bytes;
    struct buf entries; /* struct text_entry */
};
struct text_entry {
    char id[ID_SIZE];
    uint32_t at, size;       /* in the batch */
    struct text_place place; /* after text_batch_write; not used yet */
};
void text_batch_add(struct text_batch *b, const char *id, struct str prefix, struct str body);
struct text_entry *text_batch_entry(const struct text_batch *b,
                                    size_t i); /* NULL: behind the last */
void text_batch_free(struct text_batch *b);
/* Not synced. */
SUSPENDS bool text_batch_write(struct text_files *t, struct text_batch *b, struct err *e);

/* Reads a text into *bytes; prefix and body point into it. ERR_SYNTAX: what stands there is not
 * that text, or damaged; ERR_NOT_FOUND: the file is gone. */
SUSPENDS bool text_read(const struct text_files *t, const struct text_place *p, const char *id,
                        struct buf *bytes, struct str *prefix, struct str *body, struct err *e);
/* The form of one text. */
bool text_decode(struct str bytes, const char *id, struct str *prefix, struct str *body);

/* At the end of a checkpoint: files without anything that is needed are to go when it is whole. */
void text_files_let_go(struct text_files *t, lsn upto);
/* Removes those that may go now. */
SUSPENDS bool text_files_remove_free(struct text_files *t, lsn checkpointed, struct err *e);
