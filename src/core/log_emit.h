#pragma once
/*
 * Inside of the log: how lines reach a file, standard error, syslog and the journal. Blocking: for
 * the thread that writes the log.
 */
#include "core/log.h"

#include <stddef.h>

/* The descriptor for a kind; path: of the file, of the socket (NULL: the usual one). A syslog that
 * is not there is none of our business yet: lines wait for it. -1: *e. */
int log_emit_open(enum log_kind kind, const char *path, struct err *e);
/* Whole lines, as the log makes them. Returns how many bytes are done with, which is all of them or
 * else errno says what is wrong; then the rest has to be given again. */
size_t log_emit(enum log_kind kind, int fd, const char *path, const char *lines, size_t n);
