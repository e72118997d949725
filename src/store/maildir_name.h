#pragma once
/*
 * The names of message files: `<sec>.M<usec>P<pid>Q<n>.<host>,S=<size>,W=<size with CRLF>` is the
 * base name, which never changes; `:2,<flags>` behind it in cur/ is the info. Pure.
 */
#include "core/buf.h"
#include "core/clock.h"

/* ":2," and every letter there is. */
#define MAILDIR_INFO_MAX (3 + 5 + 26)

/* Cuts a file name before the info; *info begins with ":" or is empty. */
void maildir_name_split(struct str name, struct str *base, struct str *info);

/* The value of ",S=" or ",W=" in a base name. */
bool maildir_name_get_size(struct str base, char key, uint64_t *size);

/* Flags (enum message_flag) and keyword letters of an info. False when writing them back would
 * not give the same bytes: letters unknown here, another order, a further part behind a comma. */
bool maildir_info_parse(struct str info, uint8_t *flags, uint32_t *keywords);
/* Writes ":2,<letters>" and returns its length. */
size_t maildir_info_format(char out[MAILDIR_INFO_MAX], uint8_t flags, uint32_t keywords);
/* The same with what the old info holds beyond flags and keywords. Appends. */
void maildir_info_merge(struct buf *b, struct str old_info, uint8_t flags, uint32_t keywords);

/* By age as the names tell it: seconds, microseconds, then the name. For qsort. */
int maildir_name_compare(struct str a, struct str b);

/* Appends a new base name. kind and number make it unique in this process and moment. */
void maildir_name_make(struct buf *b, usec now, int64_t pid, char kind, uint64_t number,
                       const char *hostname, uint64_t size, uint64_t size_crlf);
/* Was the name made by maildir_name_make? */
bool maildir_name_is_ours(struct str base);
/* The host name as it may stand in a file name (no "/", ":" or ","). */
void maildir_name_add_host(struct buf *b, const char *hostname);
