#pragma once
/*
 * Hosts that a setting lists: addresses and networks ("192.0.2.1 10.0.0.0/8 2001:db8::/32"), those
 * with "!" in front excepted; "unix" stands for Unix sockets. The narrowest network counts.
 */
#include "core/err.h"
#include "core/settings.h"

struct host_set;
/* NULL: *e (ERR_SYNTAX). */
struct host_set *host_set_new(const struct string_list *list, struct err *e);
/* NULL is allowed. */
void host_set_free(struct host_set *s);
/* address: numeric, or "unix"; others are in no set. */
bool host_set_has(const struct host_set *s, const char *address);

/* The same without a set that is kept: for short lists that are seldom asked. */
bool host_list_has(const struct string_list *list, const char *address);
/* ERR_SYNTAX; the text begins with the setting's name. */
bool host_list_check(const struct string_list *list, const char *setting, struct err *e);
