#pragma once
/*
 * What a service manager (systemd) and its service say to each other: readiness, state and
 * watchdog by sd_notify(3), sockets that were opened before the start or kept over a restart by
 * sd_listen_fds(3) and its descriptor store. `mailctl upgrade` gives sockets to a new process in
 * the same way. Without a manager all of it does nothing.
 */
#include "core/loop.h"
#include "core/str.h"

struct service_manager;
struct socket_address;

/* Reads the environment (LISTEN_*, NOTIFY_SOCKET, WATCHDOG_USEC) and removes it from there. */
struct service_manager *service_manager_new(void);
/* NULL is allowed. Sockets that nobody took are closed. */
void service_manager_free(struct service_manager *m);

/* Sockets were there at the start. */
bool service_manager_gave(const struct service_manager *m);
/* A listening socket of this address that was there before; -1: none. It is the caller's. */
int service_manager_take(struct service_manager *m, const struct socket_address *address);
/* After the listeners are open: sockets of addresses that the configuration does not have any more
 * are closed and taken out of the manager's store; how many. */
size_t service_manager_drop_rest(struct service_manager *m);

/* There is one that keeps sockets. */
bool service_manager_keeps(const struct service_manager *m);
/* The manager keeps a copy of the socket over restarts and crashes, until it is forgotten. */
void service_manager_keep(struct service_manager *m, int fd);
void service_manager_forget(struct service_manager *m, int fd);

/* "READY=1", "STOPPING=1", "STATUS=..."; lines separated by LF. */
void service_manager_tell(struct service_manager *m, const char *state);
/* A reload begins, with the time of it as the manager wants it; READY=1 ends it. */
void service_manager_tell_reload(struct service_manager *m);
/* After a start that failed. The manager starts the server again at once, as it has to after a
 * crash; what keeps it from starting is there for longer, and would fill the log. Some seconds,
 * unless a signal comes; at once without a manager. m: NULL if it did not come to it. BLOCKING. */
void service_manager_rest(const struct service_manager *m);
/* From now on the loop's turning is told to the manager, if that watches it: a loop that hangs is
 * ended and started again. */
void service_manager_start_watchdog(struct service_manager *m);
