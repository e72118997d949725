/*
 * Lists of hosts in settings: sets of networks, made when somebody asks. The lists are short, and
 * who asks is about to say a rare command or EHLO; an empty list costs nothing.
 */
#include "net/host_list.h"

#include "net/network.h"

bool host_list_has(const struct string_list *list, const char *address)
{
    bool unix_sockets = false;
    struct network_address a;
    if (list->count == 0)
        return false;
    struct network_set *set = network_set_from_list(list, &unix_sockets, NULL);
    bool has =
        str_equal(str_from_c(address), STR("unix"))
            ? unix_sockets
            : network_address_parse(&a, str_from_c(address)) && network_set_find(set, &a) == 1;
    network_set_free(set);
    return has;
}

bool host_list_check(const struct string_list *list, const char *setting, struct err *e)
{
    bool unix_sockets;
    if (list->count == 0)
        return true;
    struct network_set *set = network_set_from_list(list, &unix_sockets, e);
    if (!set)
        return err_prefix(e, "%s", setting);
    network_set_free(set);
    return true;
}
