#pragma once
/*
 * dovecot-uidlist, version 3 (version 1 is read too): which file has which UID. Parsing and
 * formatting; the files are read and written by load.c and flush.c on workers.
 */
#include "core/buf.h"

#define GUID_SIZE 16

struct uidlist_header {
    uint32_t validity, next; /* 0: not known */
    bool has_guid;
    uint8_t guid[GUID_SIZE];
    struct str extra; /* further fields, kept: "P%v.%u" */
};

struct uidlist_line {
    uint32_t uid;
    bool has_size, has_size_crlf;
    uint64_t size, size_crlf; /* "S", "W" */
    struct str extra;         /* further fields, kept: "P12 O3 Gxyz" */
    struct str base;
};

/* Cuts the first line off *text. False when it is no header of version 1 or 3. */
bool uidlist_read_header(struct str *text, struct uidlist_header *h);
/* Cuts the next line; false at the end or when the line is damaged (*damaged): lines must be
 * complete and ascend. `last` is the UID before. */
bool uidlist_read_line(struct str *text, uint32_t last, struct uidlist_line *line, bool *damaged);

void uidlist_add_header(struct buf *b, const struct uidlist_header *h);
/* Sizes are written only when the base name does not tell them, or lies about them. */
void uidlist_add_line(struct buf *b, const struct uidlist_line *line);

/* Lower-case hex. */
void guid_format(char out[2 * GUID_SIZE], const uint8_t guid[GUID_SIZE]);
bool guid_parse(struct str hex, uint8_t guid[GUID_SIZE]);
