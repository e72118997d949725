#pragma once
/*
 * The file maild-index on disk. Blocking: for workers. It may be deleted at any time; what it knew
 * alone is lost then.
 */
#include "store/index_format.h"

#define INDEX_FILE_NAME "maild-index"

enum index_trust {
    INDEX_NONE,    /* there is none, or nothing of it can be used */
    INDEX_GOOD,    /* the content is what was written last */
    INDEX_DAMAGED, /* the content is what was before the damage */
};

struct index_loaded {
    enum index_trust trust;
    struct index_header header; /* when it is good */
    struct index_file file;
};

/* Reads it into an empty content. When it returns INDEX_NONE the content is empty again. */
void index_read(const char *dir, struct mailbox_content *c, struct index_loaded *l);

struct index_write {
    const char *dir;
    bool replace;               /* the file; else the block is appended at file.length */
    bool sync;                  /* before it is relied on */
    struct index_file file;     /* updated when it is written */
    struct index_header header; /* length and snapshot are filled in */
    struct buf block;           /* begun, with the state */
    struct message *messages;   /* owned by the caller */
    size_t count;
};
bool index_write(struct index_write *w, struct err *e);
/* Only the header. */
bool index_write_header(const struct index_write *w, struct err *e);

/* The stamps of the things the index stands for, at this moment. */
void index_stamps_read(const char *dir, struct index_stamps *s);
/* Was nothing touched since then, new/ left aside? */
bool index_stamps_fit(const struct index_stamps *now, const struct index_stamps *then);

/* Was Dovecot at work since the index was written? Then its clients know higher modification
 * sequences. */
bool index_is_outrun(const char *dir);

/* What a mailbox that is not in memory holds, from the header alone. False: it must be loaded. */
bool index_read_totals(const char *dir, struct index_header *h);
