#pragma once
/*
 * What fits at the end of an unfinished command line.
 */
#include "mailctl/mailctl.h"

struct completing {
    struct mailctl *m;
    const char *begun;             /* the word that is being typed */
    const struct command *command; /* NULL: it is not there yet */
    const char *option;            /* whose value it is, or NULL */
    const char *user;              /* the first word behind the command, or NULL */
    json_t *words;                 /* [{"word", "help"}, ...] of what was found */
    bool files;                    /* names of files fit */
};

/* words: those behind "mailctl"; the last one is being typed, maybe empty. */
void complete(struct completing *c, const char **words, size_t count);

/* --- complete_words.c --- */

/* Adds a word if it begins as it should. help may be NULL. */
void complete_add(struct completing *c, const char *word, const char *help);
/* Adds words of a kind as help texts name them, "USER", "DOMAIN", "ID" ...: those that never
 * change, or what the server knows, as far as it answers at once. */
void complete_kind(struct completing *c, struct str kind);
