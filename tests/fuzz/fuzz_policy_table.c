/*
 * Tables of the access policy: the first byte chooses the type, then come a key, a NUL and the
 * file. Whatever is accepted can be asked for the key; a correct network is found by its own
 * address.
 */
#include "policy/table.h"

#include "core/buf.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void ask(const struct policy_content *c, enum policy_table_type type, struct str key)
{
    struct policy_entry entry = {0};
    struct network_address a;
    unsigned gave_up;
    switch (type) {
    case TABLE_EXACT:
        policy_content_find_exact(c, key, &entry);
        break;
    case TABLE_DOMAIN:
        policy_content_find_domain(c, key, &entry);
        break;
    case TABLE_NETWORK:
        if (network_address_parse(&a, key))
            policy_content_find_network(c, &a, &entry);
        break;
    case TABLE_PATTERN:
        policy_content_find_pattern(c, key, &entry, &gave_up);
        break;
    }
    assert(entry.text.n == 0 || entry.has_action);
}

static void check_network(struct str text)
{
    struct network n;
    struct err e;
    struct network_address again;
    char shown[NETWORK_TEXT_SIZE];
    if (!network_parse(&n, text, &e))
        return;
    network_address_text(&n.first, shown);
    assert(network_address_parse(&again, str_from_c(shown)));
    assert(memcmp(&again, &n.first, sizeof(again)) == 0);
    struct network_pair pair = {n, 7};
    struct network_set *s = network_set_new(&pair, 1);
    assert(network_set_find(s, &n.first) == 7);
    network_set_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2)
        return 0;
    enum policy_table_type type = (enum policy_table_type)(data[0] % 4);
    struct str text = str_from((const char *)data + 1, n - 1);
    struct str key = str_split(&text, '\0');
    struct err e = {0};
    check_network(key);
    if (!text.p)
        return 0;
    struct policy_content *c = policy_content_parse("table", text, type, &e);
    assert(c || e.kind != ERR_NONE);
    if (c)
        ask(c, type, key);
    policy_content_unref(c);
    return 0;
}
