/*
 * What operators write into `lists`, networks, and what strangers have for a sender: whatever is
 * taken can be written again and means the same.
 */
#include "policy/client_network.h"
#include "policy/dns_list.h"
#include "policy/greylist_key.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_network(struct str text, struct arena *a)
{
    struct str network, again;
    unsigned bits, bits_again;
    bool v6;
    if (!client_network_parse(text, a, &network, &v6, &bits))
        return;
    assert(client_network_parse(network, a, &again, &v6, &bits_again));
    assert(str_equal(network, again) && bits == bits_again && bits <= (v6 ? 128u : 32u));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_from((const char *)data, size);
    struct arena *a = arena_new();
    struct buf sender = BUF_EMPTY;
    struct dns_list list;
    struct err e;
    if (dns_list_parse(text, a, &list, &e)) {
        assert(list.weight != 0 && list.zone.n > 0 && list.zone.n <= 255);
        for (int i = 0; i < 4 && !list.any; i++)
            assert(list.octets[i].first <= list.octets[i].last);
    }
    try_network(text, a);
    greylist_sender(text, &sender);
    assert(sender.n <= text.n + 4);
    buf_free(&sender);
    arena_free(a);
    return 0;
}
