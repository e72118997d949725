#pragma once
/*
 * When each account last opened its maildrop, for LOGIN-DELAY (RFC 2449 6.5).
 */
#include "core/clock.h"
#include "core/str.h"

struct login_times;

struct login_times *login_times_new(void);
/* NULL is allowed. */
void login_times_free(struct login_times *t);

/* Notes a login at `now` (clock_monotonic). False: the last one was less than `delay` ago, and
 * *wait is what is left. */
bool login_times_note(struct login_times *t, int64_t account, usec now, usec delay, usec *wait);
