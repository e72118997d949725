#pragma once
/*
 * The size of a message as the protocols count it. Blocking: for workers.
 */
#include "core/err.h"

#include <stdint.h>

/* Reads the file: its size, and its size with every line end as CRLF. */
bool message_count_file(const char *path, uint64_t *size, uint64_t *size_crlf, struct err *e);
