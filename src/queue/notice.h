#pragma once
/*
 * Mail from the server itself to its postmaster: what an operator should know without reading logs.
 */
#include "core/arena.h"
#include "queue/queue.h"

/* Subject and text in UTF-8, lines ending in LF. It goes the way of all mail; *e when that is not
 * possible now. */
SUSPENDS bool queue_notice(struct queue *q, struct str subject, struct str text, struct err *e);
/* A message that is ready, header and all, to one address, from the null sender. tls_optional: as
 * in struct envelope_options. */
SUSPENDS bool queue_send_text(struct queue *q, struct str to, struct str text, bool tls_optional,
                              struct err *e);
/* The address of who is responsible: the setting, else postmaster of the first domain. */
SUSPENDS struct str queue_postmaster(struct queue *q, struct arena *a);
