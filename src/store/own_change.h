#pragma once
/*
 * Which names of watched directories the store itself is changing at this moment, so that the
 * kernel's word of it is not taken for another program's doing.
 */
#include "core/buf.h"
#include "store/message_file.h"

struct store;
struct mailbox;

/* One job of a worker; on the stack or in the job. Zeroed is valid and empty. */
struct own_change {
    struct own_change *next, *previous;
    uint64_t *keys; /* hash table, 0: free */
    size_t count, mask;
};

/* Before the job. Costs nothing for a mailbox that is not watched. path: "cur/<name>". */
void own_change_add(struct own_change *c, struct mailbox *m, struct str path);
void own_change_add_file(struct own_change *c, struct mailbox *m, const struct message_file *f);
/* When the job is done, before anything else is believed about the mailbox. */
void own_change_end(struct store *s, struct own_change *c);

/* Is the store changing that name? */
bool own_change_includes(const struct store *s, const struct mailbox *m, struct str path);
