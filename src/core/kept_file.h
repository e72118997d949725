#pragma once
/*
 * What the server has learnt and would like to know again after a restart, in a file of its own: it
 * is replaced as a whole, some minutes after a change and at the end. A crash loses those minutes,
 * so it is for what can be learnt again; whatever was promised to somebody is in the journal.
 *
 * Form of the file: u32 magic, u16 version, u64 checksum of the rest (str_hash).
 */
#include "core/buf.h"
#include "core/err.h"
#include "core/fiber.h"
#include "core/loop.h"

struct kept_file_form {
    uint32_t magic;
    uint16_t version;
    size_t size_max;   /* bytes; a larger file is not read */
    usec interval;     /* between a change and the write that has it */
    const char *fiber; /* the name of the fiber that writes */
    /* Appends all that is known. */
    void (*encode)(const void *arg, struct buf *out);
    /* False: damaged; what was understood before that is known from then on. */
    bool (*decode)(void *arg, struct str bytes);
    /* Tells the operator that it could not be written. */
    void (*not_kept)(const struct err *e);
};

struct kept_file {
    const struct kept_file_form *form; /* this and arg: set by the owner; outlive it */
    void *arg;
    struct loop *loop; /* private from here on; NULL: nothing is kept */
    char *path;
    bool changed, writing, closed;
    struct timer timer;
    struct cond written;
};

/* The bytes of the file, and back. False: damaged or of another version. */
void kept_file_encode(const struct kept_file_form *form, const void *arg, struct buf *out);
bool kept_file_decode(const struct kept_file_form *form, void *arg, struct str bytes);

/* Reads what there is and keeps changes from then on, whatever became of the reading. path is
 * copied. ERR_SYNTAX: damaged; ERR_LIMIT, ERR_IO. A file that is missing is no error. */
SUSPENDS bool kept_file_open(struct kept_file *f, struct loop *l, const char *path, struct err *e);
/* There is something new. A file that cannot be written is tried again after the interval. */
void kept_file_changed(struct kept_file *f);
/* Writes what is new; nothing is written any more after that. */
SUSPENDS void kept_file_close(struct kept_file *f);
void kept_file_free(struct kept_file *f);
