#pragma once
/*
 * The files of the store: NUMBER.log with lines, NUMBER.index beside it; once they are complete and
 * there is time, the lines are compressed into NUMBER.log.gz with NUMBER.gz.index. BLOCKING.
 */
#include "trace/block.h"

enum volume_file {
    VOLUME_LINES,
    VOLUME_INDEX,
    VOLUME_PACKED,
    VOLUME_PACKED_INDEX,
    VOLUME_DAMAGED,
    VOLUME_FILES
};

/* Appends "DIR/NUMBER.log". */
void volume_add_path(struct buf *b, const char *dir, uint32_t number, enum volume_file file);

struct volume_list {
    uint32_t *numbers; /* ascending */
    size_t count, room;
    uint32_t highest; /* that a file has, whatever it is; 0: none */
    size_t damaged;   /* files that were set aside */
};
/* A missing directory has none. */
bool volume_list_read(struct volume_list *l, const char *dir, struct err *e);
void volume_list_free(struct volume_list *l);
/* All that is of this number, with its size in bytes and when it was last written. */
uint64_t volume_size(const char *dir, uint32_t number, usec *last);
void volume_remove(const char *dir, uint32_t number);
/* Its lines get another name, under which nobody reads them. */
void volume_set_aside(const char *dir, uint32_t number);

/* The one that is written. */
struct volume {
    uint32_t number;
    char *path, *index_path;
    int fd, index_fd;
    uint64_t size;
    bool index_broken; /* it lacks blocks, and gets no more */
    struct block block;
};

/* A new one: ERR_EXISTS when there is one already. False: nothing is open (e). */
bool volume_create(struct volume *s, const char *dir, uint32_t number, struct err *e);
/* Goes on with one: what was torn by a crash is cut off, what the index lacks is added. False: it
 * cannot be read or written (e); nothing is open. */
bool volume_resume(struct volume *s, const char *dir, uint32_t number, struct err *e);
/* Whole lines. False: nothing was written (e), and it may be closed. */
bool volume_write(struct volume *s, struct str lines, struct err *e);
/* complete: the index gets the last block as well. */
void volume_close(struct volume *s, bool complete);
bool volume_is_open(const struct volume *s);

/* Whether the index is all there; if not, it is made of the lines again. False: the lines cannot be
 * read, or there are none in the file. */
bool volume_mend(const char *dir, uint32_t number, bool *mended, struct err *e);
