/*
 * Any bytes as the entry of an account: what it becomes stays below the store, has addresses that
 * are addresses, and one name. Lines "attribute:value"; values may be anything.
 */
#include "auth/directory_name.h"
#include "auth/ldap_ad.h"
#include "auth/ldap_map.h"
#include "core/log.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ATTRIBUTES_MAX 64

static struct ldap_entry read_entry(struct arena *a, struct str text)
{
    struct ldap_entry entry = {.dn = STR("cn=fuzzed,dc=x")};
    struct str line;
    entry.attributes = arena_array(a, ATTRIBUTES_MAX, sizeof(*entry.attributes));
    while (entry.count < ATTRIBUTES_MAX && (line = str_split(&text, '\n'), line.p)) {
        struct str value = line, name = str_split(&value, ':');
        struct ldap_attribute *attribute = NULL;
        for (size_t i = 0; i < entry.count; i++)
            if (str_equal_nocase(entry.attributes[i].name, name))
                attribute = &entry.attributes[i];
        if (!attribute) {
            attribute = &entry.attributes[entry.count++];
            attribute->name = name;
            attribute->values = arena_array(a, 16, sizeof(struct str));
        }
        if (attribute->count < 16)
            attribute->values[attribute->count++] = value.p ? value : STR("");
    }
    return entry;
}

/* As people write it, or as the directory keys it: a look-up finds either. */
static void check_address(struct arena *a, struct str address)
{
    struct name name;
    assert(name_read(a, address, &name, NULL) && name.domain.n > 0);
    assert(!memchr(address.p, '\n', address.n) && str_is_utf8(address));
}

static void check_home(struct str home)
{
    assert(home.n > 0 && home.p[0] != '/' && home.p[0] != '.');
    assert(str_find(home, STR("/.")) < 0 && str_find(home, STR("//")) < 0);
    assert(!memchr(home.p, '\0', home.n));
}

static void check(struct arena *a, int preset, struct str text)
{
    struct ldap_mapping_settings s = {.preset = preset, .base = "dc=x"};
    struct source_account found;
    struct directory_group group;
    struct err e;
    struct ldap_entry entry = read_entry(a, text);
    static const char *const hosts[] = {"mx.example.test"};
    for (size_t i = 0; i < LDAP_FIELDS; i++)
        s.fields[i] = "";
    s.fields[LDAP_HOME_ATTRIBUTE] = "mailHome";
    s.fields[LDAP_PROTOCOLS_ATTRIBUTE] = "mailProtocols";
    s.default_domain = "example.test";
    s.local_hosts = (struct string_list){hosts, 1};
    s.group_members_max = s.group_depth_max = 100;
    const struct ldap_mapping *m = ldap_mapping_make(a, "fuzzed", &s, &e);
    assert(m);
    if (ldap_map_account(m, &entry, a, &found, &e) == LOOKUP_FOUND) {
        check_address(a, found.account.login);
        check_home(found.account.home);
        assert(found.account.id >> 62 == 1);
        for (size_t i = 0; i < found.account.address_count; i++)
            check_address(a, found.account.addresses[i]);
        for (size_t i = 0; i < found.account.forward_count; i++)
            check_address(a, found.account.forwards[i]);
        assert(found.account.keep_copy || found.account.forward_count > 0);
    }
    if (ldap_map_group(m, &entry, a, &group))
        check_address(a, group.address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    log_set_level(LOG_LEVEL_ERROR);
    if (size > 0)
        check(a, data[0] % 5, str_from((const char *)data + 1, size - 1));
    arena_free(a);
    return 0;
}
