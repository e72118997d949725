#pragma once
/*
 * Complete files are compressed: each block is a gzip member of its own, so that one can be read
 * without the others, and all of them by zcat. BLOCKING.
 */
#include "trace/block_index.h"

bool pack_is_packed(const char *dir, uint32_t number);
/* Puts NUMBER.log.gz in place of NUMBER.log. ERR_CANCELLED: something urgent came up, nothing was
 * done. */
bool pack_volume(const char *dir, uint32_t number, bool (*is_urgent)(void *arg), void *arg,
                 struct err *e);
/* As volume_mend. What an interrupted pack_volume has left is removed. */
bool pack_mend(const char *dir, uint32_t number, bool *mended, struct err *e);

/* The index of an open packed file: the one beside it, or one made of the file's members. False:
 * neither can be read. */
bool pack_read_index(struct block_index *x, int fd, const char *path, const char *index_path,
                     uint32_t number, bool *made, struct err *e);
/* A block into out[entry->size]. False: it is damaged. */
bool pack_inflate(struct str stored, char *out, size_t size);
