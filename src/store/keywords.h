#pragma once
/*
 * dovecot-keywords: the names behind the letters 'a' to 'z' of a mailbox. Pure.
 */
#include "core/buf.h"
#include "store/limits.h"

struct keyword_set {
    struct str names[KEYWORDS_MAX]; /* owned; a gap is the empty string */
    size_t count;                   /* highest used index + 1 */
};

void keywords_free(struct keyword_set *k);
/* "<index> <name>" lines; damaged lines are passed over. */
void keywords_parse(struct keyword_set *k, struct str text);
void keywords_format(const struct keyword_set *k, struct buf *b);
/* Compares as IMAP does, without case. -1 when there is none. */
int keywords_find(const struct keyword_set *k, struct str name);
/* Finds or adds; -1 when all letters are taken or the name cannot be one. */
int keywords_add(struct keyword_set *k, struct str name);
/* Gives letters that files use but that have no name the name Dovecot gives them. */
bool keywords_name_used(struct keyword_set *k, uint32_t used);
