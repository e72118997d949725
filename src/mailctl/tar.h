#pragma once
/*
 * Archives in the format of POSIX pax (POSIX.1-2001, "pax Interchange Format"; ustar with extended
 * headers), written and read as streams. What GNU tar writes is read as well.
 */
#include "core/buf.h"
#include "core/err.h"

/* Where bytes go to or come from; blocking. read: *got == 0 at the end. */
struct tar_output {
    bool (*write)(void *arg, const void *p, size_t n, struct err *e);
    void *arg;
};
struct tar_input {
    bool (*read)(void *arg, void *p, size_t n, size_t *got, struct err *e);
    void *arg;
    /* May be NULL: passes over n bytes; fails if there are not so many. */
    bool (*skip)(void *arg, uint64_t n, struct err *e);
};

struct tar_member {
    struct str path; /* without a "/" at its end */
    uint64_t size;
    int64_t modified; /* seconds */
    bool directory;   /* else a file: all others are passed over */
};

struct tar_writer {
    struct tar_output to;
    uint64_t left, padding; /* of the member */
};

bool tar_write_member(struct tar_writer *w, const struct tar_member *m, struct err *e);
/* Bytes of the member. What is more than its size is left out. */
bool tar_write(struct tar_writer *w, struct str bytes, struct err *e);
/* Ends the member. *short_by: bytes that were missing (zeros are in their place). */
bool tar_end_member(struct tar_writer *w, uint64_t *short_by, struct err *e);
bool tar_end(struct tar_writer *w, struct err *e);

/* Of a path or a link's target in an extended header. */
#define TAR_HEADER_MAX (1024 * 1024)

struct tar_reader {
    struct tar_input from;
    uint64_t left, padding; /* of the member */
    struct buf path, header;
    bool started; /* a first header was good; may be set to begin in the middle of an archive */
};

/* The next member; *end: there is none. What was not read of the one before is passed over. */
bool tar_read_member(struct tar_reader *r, struct tar_member *m, bool *end, struct err *e);
/* Passes over what was not read of the member: the input is at the next header then. */
bool tar_skip(struct tar_reader *r, struct err *e);
/* *got == 0: the end of the member. */
bool tar_read(struct tar_reader *r, void *p, size_t n, size_t *got, struct err *e);
void tar_reader_free(struct tar_reader *r);
