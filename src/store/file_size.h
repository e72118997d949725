#pragma once
/*
 * How large a message's file is. Other programs write sizes into names, and not always the right
 * ones. Blocking: for workers.
 */
#include "core/err.h"
#include "core/str.h"

struct file_size {
    uint64_t size, size_crlf; /* stored; with every line end as CRLF */
    int64_t date;             /* of the last change: the internal date */
};

/* Of a file that is new here: ",W=" of the name is believed if ",S=" is right, else the file is
 * read. ERR_NOT_FOUND, also for what is no file. */
bool file_size_find(const char *path, struct str base, struct file_size *f, struct err *e);
