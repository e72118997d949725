#pragma once
/*
 * What mailboxes are called over IMAP. Inside, levels are separated by "/" and nothing is below
 * INBOX that is not named so; a site whose clients know other names from the server before can keep
 * them: with "." between levels, and with everything below INBOX. Pure.
 */
#include "core/buf.h"

struct wire_naming {
    bool utf8; /* names in UTF-8 instead of modified UTF-7; not a matter of this file */
    bool dots; /* "." between levels; one in a name is "\2e", as Dovecot's listescape has it, and
                * "\2e" is "\5c2e" */
    bool below_inbox;  /* all mailboxes but INBOX are called "INBOX/..." or "INBOX...." */
    struct str public; /* but those at or below this level are not; "": none */
};

/* Is that the first level of the name? Nothing is below "". */
static inline bool wire_name_is_below(struct str name, struct str level)
{
    return level.n > 0 && str_starts_with(name, level) &&
           (name.n == level.n || name.p[level.n] == '/');
}

static inline char wire_separator(struct wire_naming w)
{
    return w.dots ? '.' : '/';
}

/* In UTF-8, not in modified UTF-7, both ways. Nothing stays nothing: METADATA calls the server so.
 */
void wire_name_add(struct buf *b, struct wire_naming w, struct str name);
/* Appends what the mailbox is called inside. False: no mailbox can be called so. */
bool wire_name_parse(struct buf *b, struct wire_naming w, struct str wire);
/* Exchanges "." and "/" if dots separate: so that patterns and names can be compared as if "/" did.
 */
void wire_name_swap(struct wire_naming w, char *p, size_t n);
