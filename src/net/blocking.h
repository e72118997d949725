#pragma once
/*
 * Connections for threads of their own (core/thread.h), whose libraries want a descriptor: they
 * block, up to a deadline, and end when another descriptor says so.
 */
#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"

/* Waits for events (POLLIN, POLLOUT) on fd. False: ERR_TIMEOUT, or ERR_CANCELLED when `stop` (-1:
 * none) became readable. */
bool blocking_wait(int fd, short events, int stop, usec deadline, struct err *e);

/* Connects to one address of the host after the other, as the system's resolver gives them (which
 * may take longer than the deadline). The descriptor is non-blocking, TCP_NODELAY; keepalive: idle
 * time until the kernel asks whether the peer is there, 0: never. -1 on failure. */
int blocking_connect(struct str host, uint16_t port, usec keepalive, int stop, usec deadline,
                     struct err *e);
int blocking_connect_unix(struct str path, int stop, usec deadline, struct err *e);
