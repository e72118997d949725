#pragma once
/*
 * METADATA (RFC 5464): what is asked for, and the response; for GETMETADATA, LIST and NOTIFY.
 */
#include "imap/command.h"
#include "store/metadata_file.h"

#define METADATA_DEPTH_ALL UINT32_MAX

struct imap_metadata_request {
    struct str *entries;
    size_t count;
    uint32_t depth;    /* levels below each entry */
    uint64_t size_max; /* of a value */
    uint64_t longest;  /* result: of those that were larger; 0: none was */
};

/* One entry or a list of them. False: the result is set. */
bool imap_take_metadata_entries(struct imap_command *c, const struct imap_argument *a,
                                struct imap_metadata_request *r);
/* Of a name that can be; else what is wrong with it. */
const char *imap_metadata_name_error(struct str name, bool to_set);
/* Appends "* METADATA ..."; mailbox "": the server. Entries that do not exist are NIL. Nothing when
 * all values are too large. */
SUSPENDS bool imap_write_metadata(struct imap_session *s, struct arena *a, struct str mailbox,
                                  struct imap_metadata_request *r, struct buf *out, struct err *e);
/* As an atom where it can be one. */
void imap_write_entry_name(struct buf *out, struct str name);
/* May the user see them, and set them as far as imap_may_set_metadata has nothing against it? */
SUSPENDS bool imap_may_metadata(const struct imap_session *s, struct str mailbox);
/* Annotations of public mailboxes are shared, there are no private ones. False: the result is set.
 */
SUSPENDS bool imap_may_set_metadata(struct imap_command *c, struct str mailbox,
                                    const struct metadata_entry *changes, size_t count);
