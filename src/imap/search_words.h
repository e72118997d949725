#pragma once
/*
 * Search keys as the words of a command line: what people type instead of what IMAP clients send.
 */
#include "imap/parser.h"

/* Words as arguments: "(" and ")" are lists. A single word with spaces is taken apart as IMAP does.
 * False: *error. */
bool search_words_parse(struct arena *a, const struct str *words, size_t count,
                        struct imap_argument **keys, struct str *error);

/* "30d": that long before now. Units: s, min, h, d, w, y. */
bool search_word_time(struct str word, int64_t now, int64_t *seconds);
/* "2026-11-21" as days since 1970. */
bool search_word_day(struct str word, int64_t *day);
/* "10K", "5M", "1G". */
bool search_word_size(struct str word, uint64_t *bytes);
