#pragma once
/*
 * The names in cur/ and new/ of a mailbox at one moment, compactly: 16 bytes and the name for each.
 * Blocking: for workers.
 */
#include "core/buf.h"
#include "core/err.h"
#include "store/message_file.h"

/* When a directory or file was last changed, as far as that can be seen from outside. All zero: not
 * known, equal to nothing. */
struct dir_stamp {
    int64_t time; /* nanoseconds */
    uint64_t inode, size;
};

/* All zero when it is not there. */
struct dir_stamp dir_stamp_read(const char *path);
bool dir_stamp_equal(const struct dir_stamp *a, const struct dir_stamp *b);
/* Was the stamp taken (at `now`, nanoseconds) so soon after the change that another change may have
 * left it the same? */
bool dir_stamp_is_young(const struct dir_stamp *s, int64_t now);

/* Of the things whose change makes what is known of a mailbox out of date. */
struct index_stamps {
    struct dir_stamp cur, new, list, keywords;
};

struct dir_entry {
    uint32_t name;    /* offset among the names */
    uint32_t hash;    /* of the base name: base_name_hash */
    uint32_t letters; /* keywords, as the name says */
    uint8_t length, base_length;
    uint8_t flags;
    uint8_t place : 2; /* enum file_place */
    uint8_t raw : 1;   /* the name is not what base and flags make of it */
};

struct dir_listing {
    struct buf names;
    struct dir_entry *entries;
    size_t count, capacity;
    uint32_t letters; /* all that occur */
};

/* Whether a DT_* of readdir can be a message: reading a pipe that somebody put there would wait for
 * ever. */
bool dir_type_is_message(unsigned char type);
/* Adds the messages in new/ or cur/ of the mailbox's directory. Names that begin with a dot or are
 * too long are none. */
bool dir_listing_read(struct dir_listing *l, const char *dir, enum file_place place, struct err *e);
/* Adds one more name; returns its position. */
size_t dir_listing_add(struct dir_listing *l, enum file_place place, struct str name);
void dir_listing_free(struct dir_listing *l);

struct str dir_entry_name(const struct dir_listing *l, const struct dir_entry *e);
struct str dir_entry_base(const struct dir_listing *l, const struct dir_entry *e);
/* Is that the name the file is known to have? */
bool dir_entry_is(const struct dir_listing *l, const struct dir_entry *e,
                  const struct message_file *f);
/* The file under that name. */
struct message_file *dir_entry_file(const struct dir_listing *l, const struct dir_entry *e,
                                    struct file_pool *p, struct str extra);

uint32_t base_name_hash(struct str base);
