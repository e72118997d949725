/*
 * From an entry to an account. Whatever is in the entry was written by people and programs that
 * know nothing of us: an address that is none, a quota that is no number are left out with a line
 * in the log that names entry and attribute, and the rest is used. Only where leaving out would let
 * mail in, or somebody, that should not be (a status that is not known) the careful way is taken.
 *
 * The main address: the value of an attribute with a prefix that is in capitals ("SMTP:" in
 * proxyAddresses), else of mail_attribute - of several values the one whose local part is the user
 * name, or the first -, else the user name in the default domain.
 */
#include "auth/ldap_map.h"

#include "auth/directory_name.h"
#include "auth/ldap_ad.h"
#include "auth/limits.h"
#include "core/log.h"
#include "mime/address.h"
#include "net/host_port.h"

#include <openssl/sha.h>

static void complain(const struct ldap_mapping *m, const struct ldap_entry *entry,
                     const char *attribute, struct str value, const char *why)
{
    log_warning("ldap", m->source.p,
                "value left out entry=\"%.*s\" attribute=%s value=\"%.*s\" reason=\"%s\"",
                STR_ARG(str_head(entry->dn, 400)), attribute, STR_ARG(str_head(value, 100)), why);
}

/* --- values --- */

struct str ldap_map_value(const struct ldap_mapping *m, const struct ldap_entry *entry,
                          enum ldap_field field)
{
    const struct ldap_names *names = &m->names[field];
    for (size_t i = 0; i < names->count; i++) {
        const struct ldap_attribute *attribute = ldap_attribute_of(entry, names->list[i].name);
        for (size_t j = 0; attribute && j < attribute->count; j++)
            if (attribute->values[j].n > 0)
                return attribute->values[j];
    }
    return (struct str){0};
}

/* The value behind the prefix; p == NULL: another prefix. *main: the prefix is in capitals. */
static struct str without_prefix(const struct ldap_name *name, struct str value, bool *main)
{
    *main = false;
    if (name->prefix.n == 0)
        return value;
    if (!str_starts_with_nocase(value, name->prefix) || value.n <= name->prefix.n ||
        value.p[name->prefix.n] != ':')
        return (struct str){0};
    *main = true;
    for (size_t i = 0; i < name->prefix.n; i++)
        *main &= value.p[i] == name->prefix.p[i] - ('a' - 'A') ||
                 (name->prefix.p[i] < 'a' && value.p[i] == name->prefix.p[i]);
    return str_skip(value, name->prefix.n + 1);
}

static bool parse_address(const struct ldap_mapping *m, const struct ldap_entry *entry,
                          const char *attribute, struct str value, struct arena *a,
                          struct str *address)
{
    struct name name;
    const char *why = "no domain";
    if (!name_parse(a, str_trim(value), &name, &why) || name.domain.n == 0) {
        complain(m, entry, attribute, value, why);
        return false;
    }
    *address = name_text(a, &name);
    return true;
}

bool ldap_map_destination(const struct ldap_mapping *m, const struct ldap_entry *entry,
                          const char *attribute, struct str value, struct arena *a,
                          struct str *address)
{
    struct name name;
    const char *why = "no default domain";
    value = str_trim(value);
    if (value.n > 0 && strchr("|/:\\\"", value.p[0]) && value.p[0] != '"')
        return complain(m, entry, attribute, value, "programs and files are not delivered to"),
               false;
    if (str_find_char(value, '@') < 0 && m->default_domain.n > 0)
        value = arena_printf(a, "%.*s@%.*s", STR_ARG(value), STR_ARG(m->default_domain));
    if (name_destination(a, value, address, &name, &why))
        return true;
    complain(m, entry, attribute, value, why);
    return false;
}

/* --- addresses --- */

struct addresses {
    struct str *list;
    size_t count, room;
    struct str main; /* p == NULL: not yet */
};

static void add_address(struct addresses *s, struct str address)
{
    for (size_t i = 0; i < s->count; i++)
        if (str_equal(s->list[i], address))
            return;
    s->list[s->count++] = address;
}

static size_t value_count(const struct ldap_entry *entry, const struct ldap_names *names)
{
    size_t n = 0;
    for (size_t i = 0; i < names->count; i++) {
        const struct ldap_attribute *attribute = ldap_attribute_of(entry, names->list[i].name);
        n += attribute ? attribute->count : 0;
    }
    return n;
}

static void take_values(const struct ldap_mapping *m, const struct ldap_entry *entry,
                        const struct ldap_name *name, bool prefixed_main, struct arena *a,
                        struct addresses *s)
{
    const struct ldap_attribute *attribute = ldap_attribute_of(entry, name->name);
    for (size_t i = 0; attribute && i < attribute->count; i++) {
        bool main;
        struct str address, value = without_prefix(name, attribute->values[i], &main);
        if (!value.p)
            continue;
        if (s->count == s->room) {
            complain(m, entry, name->name, value, "too many addresses");
            return;
        }
        if (!parse_address(m, entry, name->name, value, a, &address))
            continue;
        add_address(s, address);
        if (main && prefixed_main)
            s->main = address;
    }
}

static bool local_is(struct str address, struct str user)
{
    ptrdiff_t at = str_find_last_char(address, '@');
    return at > 0 && str_equal_nocase(str_head(address, (size_t)at), user);
}

/* All addresses in s, the main one in s->main; false: none. */
static bool take_addresses(const struct ldap_mapping *m, const struct ldap_entry *entry,
                           enum ldap_field mail, enum ldap_field alias, struct arena *a,
                           struct addresses *s)
{
    const struct ldap_names *mails = &m->names[mail], *aliases = &m->names[alias];
    struct str user = ldap_map_value(m, entry, LDAP_USER_ATTRIBUTE);
    *s = (struct addresses){0};
    s->room = value_count(entry, mails) + value_count(entry, aliases);
    if (s->room > LDAP_ADDRESSES_MAX)
        s->room = LDAP_ADDRESSES_MAX;
    s->list = arena_array(a, s->room + 1, sizeof(*s->list)); /* + 1: the user name's */
    for (size_t i = 0; i < mails->count; i++)
        take_values(m, entry, &mails->list[i], true, a, s);
    size_t mail_count = s->count;
    for (size_t i = 0; i < aliases->count; i++)
        take_values(m, entry, &aliases->list[i], true, a, s);
    for (size_t i = 0; !s->main.p && user.p && i < mail_count; i++)
        if (local_is(s->list[i], user))
            s->main = s->list[i];
    if (!s->main.p && mail_count > 0)
        s->main = s->list[0];
    return s->main.p != NULL;
}

bool ldap_map_address(const struct ldap_mapping *m, const struct ldap_entry *entry,
                      enum ldap_field mail, enum ldap_field alias, struct arena *a,
                      struct str *address)
{
    struct addresses s;
    if (!take_addresses(m, entry, mail, alias, a, &s))
        return false;
    *address = s.main;
    return true;
}

/* The user name in the default domain. */
static bool unaddressed(const struct ldap_mapping *m, const struct ldap_entry *entry,
                        struct arena *a, struct str *address)
{
    struct str user = ldap_map_value(m, entry, LDAP_USER_ATTRIBUTE);
    if (!user.p || m->default_domain.n == 0)
        return false;
    struct address full = {user, m->default_domain}; /* quoted where needed */
    return parse_address(m, entry, m->names[LDAP_USER_ATTRIBUTE].list[0].name,
                         address_text(a, &full), a, address);
}

bool ldap_map_member(const struct ldap_mapping *m, const struct ldap_entry *entry, struct arena *a,
                     struct str *address)
{
    return ldap_map_address(m, entry, LDAP_MAIL_ATTRIBUTE, LDAP_ALIAS_ATTRIBUTE, a, address) ||
           unaddressed(m, entry, a, address);
}

static bool map_addresses(const struct ldap_mapping *m, const struct ldap_entry *entry,
                          struct arena *a, struct account *account)
{
    struct addresses s;
    if (!take_addresses(m, entry, LDAP_MAIL_ATTRIBUTE, LDAP_ALIAS_ATTRIBUTE, a, &s) &&
        !unaddressed(m, entry, a, &s.main))
        return false;
    account->login = s.main;
    account->addresses = s.list;
    for (size_t i = 0; i < s.count; i++)
        if (!str_equal(s.list[i], s.main))
            account->addresses[account->address_count++] = s.list[i];
    return true;
}

/* --- what happens to its mail --- */

static void map_forwards(const struct ldap_mapping *m, const struct ldap_entry *entry,
                         struct arena *a, struct account *account)
{
    const struct ldap_names *names = &m->names[LDAP_FORWARD_ATTRIBUTE];
    size_t room = value_count(entry, names);
    account->forwards = arena_array(a, room, sizeof(struct str));
    for (size_t i = 0; i < names->count; i++) {
        const struct ldap_attribute *attribute = ldap_attribute_of(entry, names->list[i].name);
        for (size_t j = 0; attribute && j < attribute->count; j++) {
            bool main;
            struct str value = without_prefix(&names->list[i], attribute->values[j], &main);
            if (value.p && ldap_map_destination(m, entry, names->list[i].name, value, a,
                                                &account->forwards[account->forward_count]))
                account->forward_count++;
        }
    }
}

/* mailDeliveryOption of the directories for universities, deliveryMode of qmail. */
static void map_delivery(const struct ldap_mapping *m, const struct ldap_entry *entry,
                         struct account *account)
{
    const struct ldap_names *names = &m->names[LDAP_DELIVERY_ATTRIBUTE];
    bool forward = false, mailbox = false, not_local = false, not_forward = false;
    for (size_t i = 0; i < names->count; i++) {
        const struct ldap_attribute *attribute = ldap_attribute_of(entry, names->list[i].name);
        for (size_t j = 0; attribute && j < attribute->count; j++) {
            struct str value = str_trim(attribute->values[j]);
            forward |= str_equal_nocase(value, STR("forward"));
            mailbox |= ldap_words_have(STR("mailbox native unix localdelivery"), value);
            not_local |= str_equal_nocase(value, STR("nolocal"));
            not_forward |= str_equal_nocase(value, STR("noforward"));
        }
    }
    if (not_forward || (mailbox && !forward))
        account->forward_count = 0;
    account->keep_copy =
        account->forward_count == 0 || mailbox || (m->keep_copy && !forward && !not_local);
}

static void map_mail_host(const struct ldap_mapping *m, const struct ldap_entry *entry,
                          struct arena *a, struct account *account)
{
    struct str value = str_trim(ldap_map_value(m, entry, LDAP_MAIL_HOST_ATTRIBUTE)), host;
    uint16_t port = 0;
    account->mail_host = STR("");
    if (value.n == 0 || m->local_hosts.count == 0)
        return;
    for (size_t i = 0; i < m->local_hosts.count; i++)
        if (str_equal_nocase(value, str_from_c(m->local_hosts.items[i])))
            return;
    if (host_port_parse(value, &host, &port) &&
        (host_is_numeric(host) || domain_is_valid(host, false))) {
        account->mail_host = arena_lower(a, value);
        return;
    }
    complain(m, entry, "mail_host", value, "no host");
    account->mail = ACCOUNT_MAIL_DEFER; /* it is not ours, and we do not know whose */
}

/* --- who may log in --- */

static void restrict_mail(struct account *account, enum account_mail mail)
{
    if (mail > account->mail)
        account->mail = mail;
}

static void map_status(const struct ldap_mapping *m, const struct ldap_entry *entry,
                       struct account *account)
{
    struct str status = str_trim(ldap_map_value(m, entry, LDAP_STATUS_ATTRIBUTE));
    if (status.n == 0 || ldap_words_have(m->status_words[LDAP_STATUS_ACTIVE], status))
        return;
    account->no_login = "disabled";
    if (ldap_words_have(m->status_words[LDAP_STATUS_NO_LOGIN], status)) {
        restrict_mail(account, m->disabled_mail);
    } else if (ldap_words_have(m->status_words[LDAP_STATUS_REFUSE], status)) {
        restrict_mail(account, ACCOUNT_MAIL_REFUSE);
    } else {
        if (!ldap_words_have(m->status_words[LDAP_STATUS_DEFER], status))
            complain(m, entry, "status", status, "not known; no login, and mail waits");
        restrict_mail(account, ACCOUNT_MAIL_DEFER);
    }
}

static void map_expiry(const struct ldap_mapping *m, const struct ldap_entry *entry,
                       struct account *account)
{
    struct str value = str_trim(ldap_map_value(m, entry, LDAP_EXPIRES_ATTRIBUTE));
    usec when;
    if (value.n == 0)
        return;
    if (!ldap_expiry_parse(value, &when)) {
        complain(m, entry, "expires", value, "no time");
    } else if (when <= clock_wall()) {
        if (!account->no_login)
            account->no_login = "expired";
        restrict_mail(account, m->disabled_mail);
    }
}

static void map_control(const struct ldap_mapping *m, const struct ldap_entry *entry,
                        struct account *account)
{
    bool disabled;
    const char *word = m->account_control ? ad_no_login(entry, &disabled) : NULL;
    if (!word)
        return;
    account->no_login = word;
    if (disabled)
        restrict_mail(account, m->disabled_mail);
}

static void map_protocols(const struct ldap_mapping *m, const struct ldap_entry *entry,
                          struct account *account)
{
    const struct ldap_names *names = &m->names[LDAP_PROTOCOLS_ATTRIBUTE];
    account->protocols = ACCOUNT_ALL_PROTOCOLS;
    if (value_count(entry, names) == 0)
        return;
    account->protocols = 0;
    for (size_t i = 0; i < names->count; i++) {
        const struct ldap_attribute *attribute = ldap_attribute_of(entry, names->list[i].name);
        for (size_t j = 0; attribute && j < attribute->count; j++) {
            unsigned set;
            struct err e;
            if (account_protocols_parse(attribute->values[j], &set, &e))
                account->protocols |= set;
            else
                complain(m, entry, names->list[i].name, attribute->values[j], e.text);
        }
    }
}

/* --- quota --- */

static int64_t unit_of(char c, int64_t none)
{
    switch (char_lower(c)) {
    case 'k':
        return 1024;
    case 'm':
        return 1024 * 1024;
    case 'g':
        return (int64_t)1024 * 1024 * 1024;
    case 't':
        return (int64_t)1024 * 1024 * 1024 * 1024;
    case 'b':
    case 's': /* as qmail writes it: "1000000S,500C" */
        return 1;
    default:
        return none;
    }
}

/* "100M", "100 MB", "1000000", "1000000S", "-1" (none). */
static bool parse_quota(struct str text, int64_t unit, int64_t *quota)
{
    size_t n = 0;
    uint64_t number;
    text = str_trim(text);
    if (str_starts_with(text, STR("-"))) {
        *quota = 0;
        return ldap_number_parse(text, quota) && (*quota = 0, true);
    }
    while (n < text.n && text.p[n] >= '0' && text.p[n] <= '9')
        n++;
    struct str rest = str_trim(str_skip(text, n));
    if (!str_to_u64(str_head(text, n), &number))
        return false;
    if (rest.n > 0)
        unit = unit_of(rest.p[0], 0);
    bool suffix = rest.n <= 1 || str_equal_nocase(str_skip(rest, 1), STR("b")) ||
                  str_equal_nocase(str_skip(rest, 1), STR("ib"));
    if (unit == 0 || !suffix || number > (uint64_t)(INT64_MAX / unit))
        return false;
    *quota = (int64_t)number * unit;
    return true;
}

static bool ends_with_count(struct str part)
{
    return part.n > 1 && char_lower(part.p[part.n - 1]) == 'c';
}

/* Storage, and messages where they stand beside it. */
static void map_quota(const struct ldap_mapping *m, const struct ldap_entry *entry,
                      struct account *account)
{
    struct str value = ldap_map_value(m, entry, LDAP_QUOTA_ATTRIBUTE), rest = value, part;
    account->quota_storage = account->quota_messages = -1;
    account->quota_version = clock_wall();
    while (value.p && (part = str_trim(str_split(&rest, ',')), part.p)) {
        bool ok = ends_with_count(part)
                      ? parse_quota(str_head(part, part.n - 1), 1, &account->quota_messages)
                      : parse_quota(part, m->quota_unit, &account->quota_storage);
        if (!ok)
            complain(m, entry, "quota", value, "no size");
    }
    value = ldap_map_value(m, entry, LDAP_QUOTA_MESSAGES_ATTRIBUTE);
    if (value.p && !parse_quota(value, 1, &account->quota_messages))
        complain(m, entry, "quota_messages", value, "no number");
}

/* --- home and id --- */

/* Below the store's path: no component that is empty or begins with a dot. */
static bool is_home(struct str path)
{
    struct str part;
    if (path.n == 0 || path.n > LDAP_HOME_MAX || !str_is_utf8(path))
        return false;
    for (size_t i = 0; i < path.n; i++)
        if ((unsigned char)path.p[i] < ' ' || path.p[i] == 0x7f)
            return false;
    while (part = str_split(&path, '/'), part.p)
        if (part.n == 0 || part.p[0] == '.')
            return false;
    return true;
}

static bool map_home(const struct ldap_mapping *m, const struct ldap_entry *entry, struct str id,
                     struct arena *a, struct account *account, struct err *e)
{
    struct str value = ldap_map_value(m, entry, LDAP_HOME_ATTRIBUTE);
    struct name name;
    if (!name_of_text(a, account->login, &name))
        return err_set(e, ERR_SYNTAX, "%s: no home for %.*s", m->source.p, STR_ARG(account->login));
    account->home = name_home(a, &name);
    if (value.p) {
        account->home = arena_str(a, value);
    } else if (m->home) {
        struct ldap_values v = {0};
        v.of[LDAP_ADDRESS] = account->login;
        v.of[LDAP_LOCAL] = name.local;
        v.of[LDAP_DOMAIN] = name.domain;
        v.of[LDAP_USER] = ldap_map_value(m, entry, LDAP_USER_ATTRIBUTE);
        v.of[LDAP_ID] = id;
        if (!ldap_template_text(m->home, &v, a, &account->home))
            return err_set(e, ERR_SYNTAX, "ldap %s: %.*s lacks what the home is made of",
                           m->source.p, STR_ARG(str_head(entry->dn, 200)));
    }
    if (is_home(account->home))
        return true;
    return err_set(e, ERR_SYNTAX, "ldap %s: %.*s: the home \"%.*s\" is not below the store",
                   m->source.p, STR_ARG(str_head(entry->dn, 150)),
                   STR_ARG(str_head(account->home, 60)));
}

static int64_t id_number(struct str id)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    uint64_t n = 0;
    SHA256((const unsigned char *)id.p, id.n, hash);
    for (size_t i = 0; i < 8; i++)
        n = n << 8 | hash[i];
    return (int64_t)((n & ((UINT64_C(1) << 62) - 1)) | UINT64_C(1) << 62);
}

/* --- the whole --- */

static struct str display_name(struct arena *a, struct str value)
{
    if (!value.p || !str_is_utf8(value))
        return STR("");
    size_t n = 0;
    while (n < value.n && n + str_character(str_skip(value, n)) <= DISPLAY_NAME_MAX)
        n += str_character(str_skip(value, n));
    char *name = arena_c(a, str_head(value, n));
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < ' ')
            name[i] = ' ';
    return str_from(name, n);
}

enum lookup ldap_map_account(const struct ldap_mapping *m, const struct ldap_entry *entry,
                             struct arena *a, struct source_account *found, struct err *e)
{
    struct account *account = &found->account;
    *found = (struct source_account){.key = arena_str(a, entry->dn), .hash = ""};
    if (!map_addresses(m, entry, a, account))
        return LOOKUP_NOT_FOUND;
    struct str id = ldap_map_value(m, entry, LDAP_ID_ATTRIBUTE);
    id = ldap_id_text(a, id.p ? id : account->login);
    account->id = id_number(id);
    account->name = display_name(a, ldap_map_value(m, entry, LDAP_NAME_ATTRIBUTE));
    map_forwards(m, entry, a, account);
    map_delivery(m, entry, account);
    map_control(m, entry, account);
    map_status(m, entry, account);
    map_expiry(m, entry, account);
    map_mail_host(m, entry, a, account);
    map_protocols(m, entry, account);
    map_quota(m, entry, account);
    return map_home(m, entry, id, a, account, e) ? LOOKUP_FOUND : LOOKUP_TEMPFAIL;
}

bool ldap_map_group_name(const struct ldap_mapping *m, const struct ldap_entry *entry,
                         struct arena *a, struct str *name)
{
    struct str value = ldap_map_value(m, entry, LDAP_GROUP_NAME_ATTRIBUTE);
    if (!value.p || !str_is_utf8(value))
        return false;
    *name = arena_lower(a, value);
    return true;
}

bool ldap_map_group(const struct ldap_mapping *m, const struct ldap_entry *entry, struct arena *a,
                    struct directory_group *group)
{
    struct str value = ldap_map_value(m, entry, LDAP_GROUP_INTERNAL_ATTRIBUTE);
    *group = (struct directory_group){0};
    group->internal = value.p && ldap_words_have(STR("true yes 1 on"), value);
    value = ldap_map_value(m, entry, LDAP_NAME_ATTRIBUTE);
    if (!value.p)
        value = ldap_map_value(m, entry, LDAP_GROUP_NAME_ATTRIBUTE);
    group->name = display_name(a, value);
    return ldap_map_address(m, entry, LDAP_GROUP_MAIL_ATTRIBUTE, LDAP_GROUP_ALIAS_ATTRIBUTE, a,
                            &group->address);
}
