#pragma once
/*
 * What a message's file is called on disk at this moment, compactly: one record per message in
 * chunks of a pool that lives as long as the mailbox is in memory. Records never move; only the
 * loop changes them, and only while it holds the mailbox's names (flush.c).
 */
#include "core/buf.h"

enum file_place {
    FILE_NEW, /* new/<base> */
    FILE_CUR, /* cur/<base>:2,<flags> */
    FILE_TMP, /* tmp/<base>: a copy that is not in cur/ yet */
};

struct message_file {
    uint32_t keywords; /* as the name on disk says */
    uint8_t flags;
    uint8_t place : 2; /* enum file_place */
    uint8_t raw : 1;   /* the name on disk is all of bytes, not base and flags */
    uint8_t extra : 1; /* further fields of its uidlist line come first: u16 length, "P12 O3" */
    uint8_t base_length, length;
    char bytes[]; /* base name; when raw also the info behind it */
};

/* A file that leaves the mailbox. */
struct leaving_file {
    struct message_file *file;
    int64_t expunged; /* seconds: kept for a while in expunged/ (expunged_name.h); 0: removed */
    uint32_t uid, keywords;
    uint8_t flags;
};

struct pool_chunk;
struct file_pool {
    struct pool_chunk *newest;
};

void file_pool_free(struct file_pool *p);
/* Moves all of `from` to `p`. */
void file_pool_join(struct file_pool *p, struct file_pool *from);

/* name: the whole file name (base and info as on disk), at most FILE_NAME_MAX bytes. extra: the
 * further fields of its uidlist line. */
struct message_file *message_file_new(struct file_pool *p, enum file_place place, struct str name,
                                      struct str extra);
/* The same from what is known already: all of *like but its lengths counts. name: the base name, of
 * a raw one all. */
struct message_file *message_file_make(struct file_pool *p, const struct message_file *like,
                                       struct str name, struct str extra);
/* For the index: the bytes of a record, and the records as they come from disk, in the pool's
 * memory. message_file_check returns the size of the first of them, 0 when it is none. */
size_t message_file_size(const struct message_file *f);
void message_file_dump(char *to, const struct message_file *f);
char *file_pool_adopt(struct file_pool *p, const char *bytes, size_t n);
size_t message_file_check(const char *bytes, size_t n);
/* The base name, or when raw all of it. */
struct str message_file_name(const struct message_file *f);
struct str message_file_base(const struct message_file *f);
struct str message_file_extra(const struct message_file *f);
/* Appends "cur/<base>:2,S". */
void message_file_add_path(struct buf *b, const struct message_file *f);
/* In `b`, which is emptied before: DIR and that. */
const char *message_file_path(struct buf *b, const char *dir, const struct message_file *f);
/* Appends the path the file should have with these flags: always in cur/. */
void message_file_add_new_path(struct buf *b, const struct message_file *f, uint8_t flags,
                               uint32_t keywords);
/* Takes note that the file has that path now. */
void message_file_moved(struct message_file *f, uint8_t flags, uint32_t keywords);
/* Appends the path it was moved from or is moved to, given place and whole name. */
void file_path_add(struct buf *b, enum file_place place, struct str name);
