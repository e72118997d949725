/*
 * Lists of hosts in settings: a set of networks, and whether Unix sockets are among them.
 */
#include "net/host_list.h"

#include "core/mem.h"
#include "net/network.h"

#include <stdlib.h>

struct host_set {
    struct network_set *networks;
    bool unix_sockets;
};

struct host_set *host_set_new(const struct string_list *list, struct err *e)
{
    struct network_pair *pairs = mem_array(list->count + 1, sizeof(*pairs));
    struct host_set *s = MEM_NEW(struct host_set);
    size_t count = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < list->count; i++) {
        struct str word = str_from_c(list->items[i]);
        bool exception = str_starts_with(word, STR("!"));
        word = str_skip(word, exception);
        if (str_equal_nocase(word, STR("unix"))) {
            s->unix_sockets = !exception;
            continue;
        }
        pairs[count].value = exception ? 0 : 1;
        ok = network_parse(&pairs[count++].network, word, e);
    }
    if (ok)
        s->networks = network_set_new(pairs, count);
    free(pairs);
    if (ok)
        return s;
    host_set_free(s);
    return NULL;
}

void host_set_free(struct host_set *s)
{
    if (!s)
        return;
    network_set_free(s->networks);
    free(s);
}

bool host_set_has(const struct host_set *s, const char *address)
{
    struct network_address a;
    if (!network_address_parse(&a, str_from_c(address)))
        return s->unix_sockets && strcmp(address, "unix") == 0;
    return network_set_find(s->networks, &a) == 1;
}

bool host_list_has(const struct string_list *list, const char *address)
{
    if (list->count == 0)
        return false;
    struct host_set *s = host_set_new(list, NULL);
    bool has = s && host_set_has(s, address);
    host_set_free(s);
    return has;
}

bool host_list_check(const struct string_list *list, const char *setting, struct err *e)
{
    struct host_set *s = host_set_new(list, e);
    if (!s)
        return err_prefix(e, "%s", setting);
    host_set_free(s);
    return true;
}
