#pragma once
/*
 * A mailbox's directory compared with what is believed of it. Blocking: for workers.
 *
 * While it runs nobody of us may rename or remove the mailbox's files (flush.c: its names are
 * taken); files of deliveries may come, other programs may do anything.
 */
#include "core/clock.h"
#include "store/dir_listing.h"
#include "store/keywords.h"
#include "store/uidlist.h"

struct compare_known {
    const struct message_file *file;
    uint32_t uid; /* 0: expunged, its file is still on its way out */
    bool pending; /* the file may not be there yet */
};

/* The file of a known message has another name now. */
struct compare_renamed {
    size_t known; /* position */
    struct message_file *file;
};

struct compare_added {
    struct message_file *file;
    uint32_t uid; /* that the list on disk gives it, above all UIDs of ours; else 0 */
    uint64_t size, size_crlf;
    int64_t date;
};

enum compare_result {
    COMPARE_DONE,     /* the lists below tell the differences */
    COMPARE_REMOVED,  /* the mailbox's directory is gone */
    COMPARE_REPLACED, /* it is another mailbox, by its list's GUID or UIDVALIDITY */
};

struct foreign_compare {
    const char *dir, *hostname; /* hostname: as in file names */
    usec now;
    uint8_t guid[GUID_SIZE];
    uint32_t uid_validity, uid_next; /* all UIDs below are taken or gone */
    const struct compare_known *known;
    size_t known_count;

    enum compare_result result;
    struct compare_renamed *renamed;
    size_t renamed_count;
    size_t *gone; /* positions */
    size_t gone_count;
    struct compare_added *added; /* in the order in which they should get UIDs */
    size_t added_count;
    struct err unreadable;         /* why a new file was left out; ERR_NONE: none was */
    bool list_changed;             /* another program wrote to the list: write it anew */
    uint32_t list_next;            /* the list on disk gave UIDs below this one away */
    struct keyword_table keywords; /* dovecot-keywords on disk: names only */
    struct file_pool files;        /* of the files above; file_pool_join moves it */
    struct dir_stamp stamps[2];    /* of new/ and cur/, before they were read */
    bool stamps_young;
};

/* False: nothing is known (ERR_IO ...). In any case foreign_compare_free. */
bool foreign_compare_run(struct foreign_compare *g, struct err *e);
void foreign_compare_free(struct foreign_compare *g);

/* Stamps of new/ and cur/; *young: they do not tell what happens just after. */
void foreign_stamps_take(const char *dir, struct dir_stamp stamps[2], bool *young);
