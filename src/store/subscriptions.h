#pragma once
/*
 * The file `subscriptions` of an account, as Dovecot writes it. Blocking: for workers.
 */
#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"
#include "store/folder_name.h"

/* Names in UTF-8. A missing file is an empty list. */
bool subscriptions_read(const char *maildir, const struct folder_naming *naming, struct arena *a,
                        struct str **names, size_t *count, struct err *e);
/* Adds or removes one name; durable when it returns. */
bool subscriptions_change(const char *maildir, const struct folder_naming *naming, struct str name,
                          bool subscribe, struct err *e);
/* The content of a new file. */
void subscriptions_format(struct buf *b, const struct folder_naming *naming,
                          const struct str *names, size_t count);
