#pragma once
/*
 * Hosts that a setting lists: addresses and networks ("192.0.2.1 10.0.0.0/8 2001:db8::/32"), those
 * with "!" in front excepted; "unix" stands for Unix sockets.
 */
#include "core/settings.h"

/* address: numeric, or "unix". */
bool host_list_has(const struct string_list *list, const char *address);
/* ERR_SYNTAX; the text begins with the setting's name. */
bool host_list_check(const struct string_list *list, const char *setting, struct err *e);
