#pragma once
/*
 * What the parts of loading a mailbox share.
 */
#include "store/index_file.h"
#include "store/mailbox_content.h"
#include "store/merge.h"
#include "store/uidlist.h"

/* A message that the list or the index knows. */
struct load_known {
    struct uidlist_line line;
    const struct message *indexed; /* in the index, or NULL */
    struct message_file *file;     /* else, made ahead: all but place, flags and keywords */
    bool listed;
};

struct mailbox_load {
    struct load_settings settings;
    struct mailbox_content c;
    struct err error, warning;
    bool failed, done;
    bool has_base;           /* c holds what an index says */
    bool trusted;            /* and nothing of it is missing */
    uint32_t indexed_next;   /* the index's next UID */
    uint64_t foreign_modseq; /* of what others did; 0: nothing so far */
    /* the list */
    struct buf list; /* the file; lines point into it */
    struct load_known *known;
    struct merge_known *bases; /* the same messages */
    size_t known_count, known_capacity;
    bool made_identity; /* GUID or UIDVALIDITY */
    struct buf path;
    /* the directories */
    struct dir_listing listing;
    struct err listing_error;
    struct merge merge;
    struct unknown_file *unknown;
    size_t unknown_count, unknown_capacity;
    struct message *indexed; /* the index's array, while another is made */
    uint32_t lowest_new;     /* lowest UID in new/ */
};

bool load_fail(struct mailbox_load *l);
const char *load_path(struct mailbox_load *l, const char *relative);
const char *load_file_path(struct mailbox_load *l, const struct message_file *f);
/* The modseq of a change that somebody else made. */
uint64_t load_foreign_modseq(struct mailbox_load *l);
/* The index's content is not to be used. */
void load_drop_base(struct mailbox_load *l);

/* --- load_write.c --- */

/* The list and, if others changed something, the index: written and synced. first_new_uid: lines
 * from there on are not in the list. */
bool load_write_decisions(struct mailbox_load *l, uint32_t first_new_uid);

/* --- load_list.c --- */

/* dovecot-uidlist and dovecot-keywords, joined with the index, become `known`. */
bool load_read_list(struct mailbox_load *l);
bool load_read_keywords(struct mailbox_load *l);
/* While the directories are read: what can be done for each line without knowing its file. */
void load_prepare_files(struct mailbox_load *l);

/* --- load_files.c --- */

void load_add_unknown(struct mailbox_load *l, struct message_file *f);
/* Gives each second file of a name one of its own. */
void load_part_seconds(struct mailbox_load *l);
/* Old files in tmp/ go; copies that the list knows are moved to cur/. */
bool load_clean_tmp(struct mailbox_load *l);
/* The sizes that the name tells. */
void load_name_sizes(struct uidlist_line *line, struct str base);
/* Fills in what the line does not tell. A file that vanished meanwhile is no message: *gone. */
bool load_find_sizes(struct mailbox_load *l, struct uidlist_line *line,
                     const struct message_file *f, bool *gone);
/* The same for a file that another program brought: its name may lie, and stays all the same, since
 * Dovecot knows messages by it. */
bool load_check_sizes(struct mailbox_load *l, struct uidlist_line *line,
                      const struct message_file *f, bool *gone);
