/*
 * What an entry is, is seen from its object classes; what is said of it, from the attributes that
 * mail systems use in directories:
 *
 *   users      any class of persons or accounts, with `mail`: the first value is the login, others
 *              and mailAlternateAddress, mailLocalAddress, proxyAddresses lead to it
 *   groups     groupOfNames, groupOfUniqueNames, posixGroup, group, mailGroup, with `mail`; members
 *              by address (rfc822MailMember ...), by dn or uid of another entry of the file
 *   addresses  nisMailAlias: `cn` leads to rfc822MailMember
 *   domains    maildDomain; rules maildRule; who may send as an address maildSendAs
 *
 * What has no usual attribute is in one whose name begins with "maild"; SCRAM verifiers are in
 * authPassword (RFC 3112, RFC 5803).
 */
#include "mailctl/ldif_record.h"

#include "ctl/ctl_json.h"
#include "ctl/ctl_record.h"
#include "ctl/limits.h"

#include <stdlib.h>

/* What goes over as it is, in both directions. */
struct pair {
    const char *column, *attribute;
};
static const struct pair user_pairs[] = {
    {"cram_md5", "maildCramMd5"},
    {"quota_messages", "maildQuotaMessages"},
    {"protocols", "maildProtocols"},
    {"keep_copy", "maildKeepCopy"},
    {NULL, NULL},
};
static const struct pair group_pairs[] = {
    {"internal", "maildInternal"},
    {"members_only", "maildMembersOnly"},
    {"send_as", "maildSendAs"},
    {"public_mailbox", "maildPublicMailbox"},
    {NULL, NULL},
};
static const struct pair address_pairs[] = {
    {"members", "rfc822MailMember"},
    {"internal", "maildInternal"},
    {NULL, NULL},
};
static const struct pair rule_pairs[] = {
    {"pattern", "maildPattern"},
    {"domain", "maildOfDomain"},
    {"members", "rfc822MailMember"},
    {"internal", "maildInternal"},
    {NULL, NULL},
};
static const struct pair send_as_pairs[] = {
    {"members", "rfc822MailMember"},
    {NULL, NULL},
};
static const struct pair domain_pairs[] = {
    {"kind", "maildDomainKind"},
    {"relay", "maildRelay"},
    {"verify", "maildVerify"},
    {"alias_of", "maildAliasOf"},
    {"subdomains", "maildSubdomains"},
    {"catch_all", "maildCatchAll"},
    {"copies", "maildCopy"},
    {"quota_storage", "mailQuota"},
    {"quota_messages", "maildQuotaMessages"},
    {"disclaimer", "maildDisclaimer"},
    {"dkim_selector", "maildDkimSelector"},
    {"dkim_key", "maildDkimKey"},
    {NULL, NULL},
};

/* Beside its columns, in a record that is being read: one that is no UTF-8. */
#define NOT_TEXT "not_text"

/* --- reading --- */

struct reading {
    struct arena *arena;
    struct ldif_entry *entries;
    size_t count, capacity;
    struct key {
        struct str key, mail;
    } * keys; /* dn and uid of those with a mail, sorted */
    size_t key_count;
    json_t *records;
    struct err *error;
};

static bool has_class(const struct ldif_entry *e, const char *const *classes)
{
    struct str value;
    for (size_t n = 0; value = ldif_value(e, "objectClass", n), value.p; n++)
        for (size_t i = 0; classes[i]; i++)
            if (str_equal_nocase(value, str_from_c(classes[i])))
                return true;
    return false;
}

static void set(json_t *record, const char *column, struct str value)
{
    if (!str_is_utf8(str_head(value, value.p ? value.n : 0)))
        json_object_set_new(record, NOT_TEXT, json_string(column));
    else if (value.p && value.n > 0)
        json_object_set_new(record, column, ctl_json_str(value));
}

/* The first of these attributes that is there. */
static struct str first_of(const struct ldif_entry *e, const char *const *names)
{
    struct str value = {NULL, 0};
    for (; *names && !value.p; names++)
        value = ldif_value(e, *names, 0);
    return value;
}

static void set_all(json_t *record, const char *column, const struct ldif_entry *e,
                    const char *const *names)
{
    json_t *list = json_array();
    struct str value;
    for (; *names; names++)
        for (size_t n = 0; value = ldif_value(e, *names, n), value.p; n++) {
            if (!str_is_utf8(value))
                json_object_set_new(record, NOT_TEXT, json_string(column));
            json_array_append_new(list, ctl_json_str(value));
        }
    if (json_array_size(list) > 0)
        json_object_set(record, column, list);
    json_decref(list);
}

static void set_pairs(json_t *record, const struct ldif_entry *e, const struct pair *pairs)
{
    for (; pairs->column; pairs++) {
        const char *const names[] = {pairs->attribute, NULL};
        if (ctl_record_column(str_from_c(pairs->column))->type == COLUMN_LIST)
            set_all(record, pairs->column, e, names);
        else
            set(record, pairs->column, ldif_value(e, pairs->attribute, 0));
    }
}

static json_t *new_record(struct reading *x, const struct ldif_entry *e, const char *type,
                          struct str address)
{
    json_t *record = json_pack("{s:s, s:I}", "type", type, "line", (json_int_t)e->line);
    set(record, "address", address);
    json_array_append_new(x->records, record);
    return record;
}

static void add_alias(struct reading *x, const struct ldif_entry *e, struct str address,
                      struct str login)
{
    if (str_equal_nocase(address, login))
        return;
    json_t *record = new_record(x, e, "address", address);
    json_object_set_new(record, "members", json_pack("[o]", ctl_json_str(login)));
}

static void add_aliases(struct reading *x, const struct ldif_entry *e, struct str login)
{
    static const char *const names[] = {"mail", "mailAlternateAddress", "mailLocalAddress", NULL};
    struct str value;
    for (size_t i = 0; names[i]; i++)
        for (size_t n = 0; value = ldif_value(e, names[i], n), value.p; n++)
            add_alias(x, e, value, login);
    for (size_t n = 0; value = ldif_value(e, "proxyAddresses", n), value.p; n++)
        if (str_starts_with_nocase(value, STR("smtp:")))
            add_alias(x, e, str_skip(value, 5), login);
}

static void set_password(json_t *record, const struct ldif_entry *e)
{
    struct str value;
    set(record, "password", ldif_value(e, "userPassword", 0));
    for (size_t n = 0; value = ldif_value(e, "authPassword", n), value.p; n++) {
        if (str_starts_with(value, STR("SCRAM-SHA-256$")))
            set(record, "scram_sha256", value);
        else if (str_starts_with(value, STR("SCRAM-SHA-1$")))
            set(record, "scram_sha1", value);
    }
}

static void set_state(json_t *record, const struct ldif_entry *e)
{
    static const char *const names[] = {"mailUserStatus", "accountStatus", "maildStatus", NULL};
    static const char *const off[] = {"disabled", "inactive", "noaccess", "deleted", "nopop", NULL};
    struct str status = first_of(e, names), control = ldif_value(e, "userAccountControl", 0);
    uint32_t bits;
    if (status.p) {
        bool disabled = false;
        for (size_t i = 0; off[i]; i++)
            disabled |= str_equal_nocase(status, str_from_c(off[i]));
        set(record, "disabled", disabled ? STR("yes") : STR("no"));
    }
    if (control.p && str_to_u32(control, &bits))
        set(record, "disabled", bits & 2 ? STR("yes") : STR("no"));
}

static void read_user(struct reading *x, const struct ldif_entry *e)
{
    static const char *const names[] = {"displayName", "cn", NULL},
                             *const quotas[] = {"mailQuota", "mailQuotaSize", NULL},
                             *const forwards[] = {"mailForwardingAddress", NULL};
    struct str login = ldif_value(e, "mail", 0), mode = ldif_value(e, "deliveryMode", 0);
    json_t *record = new_record(x, e, "user", login);
    set(record, "name", first_of(e, names));
    set_password(record, e);
    set_state(record, e);
    set(record, "quota_storage", first_of(e, quotas));
    set_pairs(record, e, user_pairs);
    if (mode.p && str_equal_nocase(mode, STR("nolocal")))
        set(record, "keep_copy", STR("no"));
    set_all(record, "forwards", e, forwards);
    add_aliases(x, e, login);
}

/* --- groups: members by name --- */

/* As they compare: in lower case, without spaces around the commas. */
static struct str normal_dn(struct arena *a, struct str dn)
{
    struct buf b = BUF_EMPTY;
    for (size_t i = 0; i < dn.n; i++) {
        char c = char_lower(dn.p[i]);
        if (c == ' ' && ((b.n > 0 && b.p[b.n - 1] == ',') || (i + 1 < dn.n && dn.p[i + 1] == ',')))
            continue;
        buf_add_char(&b, c);
    }
    struct str result = arena_str(a, buf_str(&b));
    buf_free(&b);
    return result;
}

static int compare_keys(const void *left, const void *right)
{
    return str_compare(((const struct key *)left)->key, ((const struct key *)right)->key);
}

static void index_entries(struct reading *x)
{
    x->keys = arena_array(x->arena, 2 * x->count, sizeof(*x->keys));
    for (size_t i = 0; i < x->count; i++) {
        const struct ldif_entry *e = &x->entries[i];
        struct str mail = ldif_value(e, "mail", 0), uid = ldif_value(e, "uid", 0);
        if (!mail.p)
            continue;
        x->keys[x->key_count++] = (struct key){normal_dn(x->arena, e->dn), mail};
        if (uid.p)
            x->keys[x->key_count++] = (struct key){arena_lower(x->arena, uid), mail};
    }
    if (x->key_count > 1)
        qsort(x->keys, x->key_count, sizeof(*x->keys), compare_keys);
}

static bool add_named(struct reading *x, const struct ldif_entry *e, const char *attribute,
                      json_t *members)
{
    struct str value;
    for (size_t n = 0; value = ldif_value(e, attribute, n), value.p; n++) {
        struct key wanted = {normal_dn(x->arena, value), {NULL, 0}};
        struct key *found = x->key_count == 0 ? NULL
                                              : bsearch(&wanted, x->keys, x->key_count,
                                                        sizeof(*x->keys), compare_keys);
        if (!found)
            return err_set(x->error, ERR_SYNTAX,
                           "line %lld: %s \"%.*s\": the file has no entry of this name with a mail",
                           (long long)e->line, attribute, STR_ARG(str_head(value, 100)));
        json_array_append_new(members, ctl_json_str(found->mail));
    }
    return true;
}

static bool read_group(struct reading *x, const struct ldif_entry *e)
{
    static const char *const names[] = {"displayName", "cn", NULL}, *const addresses[] = {
                                                                        "rfc822MailMember",
                                                                        "mgrpRFC822MailMember",
                                                                        NULL};
    json_t *record = new_record(x, e, "group", ldif_value(e, "mail", 0)), *members;
    set(record, "name", first_of(e, names));
    set_state(record, e);
    set_pairs(record, e, group_pairs);
    set_all(record, "members", e, addresses);
    members = json_object_get(record, "members");
    if (!members) {
        members = json_array();
        json_object_set_new(record, "members", members);
    }
    return add_named(x, e, "member", members) && add_named(x, e, "uniqueMember", members) &&
           add_named(x, e, "memberUid", members);
}

static void read_simple(struct reading *x, const struct ldif_entry *e, const char *type,
                        const char *address, const struct pair *pairs)
{
    set_pairs(new_record(x, e, type, ldif_value(e, address, 0)), e, pairs);
}

static void read_group_settings(struct reading *x, const struct ldif_entry *e)
{
    json_t *record = new_record(x, e, "group_settings", ldif_value(e, "mail", 0));
    set_state(record, e);
    set_pairs(record, e, group_pairs);
}

static bool read_entry(struct reading *x, const struct ldif_entry *e, size_t *passed)
{
    static const char *const
        domains[] = {"maildDomain", NULL},
        *const rules[] = {"maildRule", NULL}, *const send_as[] = {"maildSendAs", NULL},
        *const settings[] = {"maildGroupSettings", NULL}, *const aliases[] = {"nisMailAlias", NULL},
        *const groups[] = {"groupOfNames", "groupOfUniqueNames", "posixGroup",
                           "group",        "mailGroup",          NULL},
        *const users[] = {"person",        "organizationalPerson",
                          "inetOrgPerson", "posixAccount",
                          "account",       "mailUser",
                          "user",          NULL};
    bool has_mail = ldif_value(e, "mail", 0).p != NULL;
    if (has_class(e, domains))
        read_simple(x, e, "domain", "associatedDomain", domain_pairs);
    else if (has_class(e, rules))
        read_simple(x, e, "rule", "cn", rule_pairs);
    else if (has_class(e, send_as))
        read_simple(x, e, "send_as", "cn", send_as_pairs);
    else if (has_class(e, settings))
        read_group_settings(x, e);
    else if (has_class(e, aliases))
        read_simple(x, e, "address", "cn", address_pairs);
    else if (has_mail && has_class(e, groups))
        return read_group(x, e);
    else if (has_mail && has_class(e, users))
        read_user(x, e);
    else
        ++*passed;
    return true;
}

static bool read_entries(struct reading *x, struct str text)
{
    struct ldif_reader r = {.rest = text};
    for (bool end = false;;) {
        x->entries =
            arena_grow(x->arena, x->entries, x->count, &x->capacity, sizeof(*x->entries), 64);
        if (!ldif_read(&r, x->arena, &x->entries[x->count], &end, x->error))
            return false;
        if (end)
            return true;
        if (x->count++ == RECORDS_MAX)
            return err_set(x->error, ERR_LIMIT, "more than %zu entries", RECORDS_MAX);
    }
}

static bool are_texts(const struct reading *x)
{
    json_t *record;
    size_t i;
    json_array_foreach(x->records, i, record)
    {
        const char *column = json_string_value(json_object_get(record, NOT_TEXT));
        if (column)
            return err_set(x->error, ERR_SYNTAX, "line %lld: %s is no UTF-8",
                           (long long)json_integer_value(json_object_get(record, "line")), column);
    }
    return true;
}

json_t *ldif_to_records(struct str text, size_t *passed, struct err *e)
{
    struct reading x = {.arena = arena_new(), .records = json_array(), .error = e};
    *passed = 0;
    bool ok = read_entries(&x, text);
    if (ok)
        index_entries(&x);
    for (size_t i = 0; ok && i < x.count; i++)
        ok = read_entry(&x, &x.entries[i], passed);
    ok = ok && are_texts(&x);
    arena_free(x.arena);
    if (ok)
        return x.records;
    json_decref(x.records);
    return NULL;
}

/* --- writing --- */

static struct str text_of_record(const json_t *record, const char *column)
{
    const json_t *value = json_object_get(record, column);
    return str_from(json_string_value(value) ? json_string_value(value) : "",
                    json_string_length(value));
}

static void add_text(struct buf *b, const char *attribute, const json_t *record, const char *column)
{
    struct str value = text_of_record(record, column);
    if (value.n > 0)
        ldif_add(b, attribute, value);
}

static void add_list(struct buf *b, const char *attribute, const json_t *record, const char *column)
{
    const json_t *item;
    size_t i;
    json_array_foreach(json_object_get(record, column), i, item)
        ldif_add(b, attribute, str_from(json_string_value(item), json_string_length(item)));
}

static void add_pairs(struct buf *b, const json_t *record, const struct pair *pairs)
{
    for (; pairs->column; pairs++) {
        add_text(b, pairs->attribute, record, pairs->column);
        add_list(b, pairs->attribute, record, pairs->column);
    }
}

/* "attribute=value" with what a value may not hold escaped (RFC 4514 2.4). */
static void add_dn(struct buf *b, const char *attribute, struct str value)
{
    struct buf dn = BUF_EMPTY;
    buf_add_c(&dn, attribute);
    buf_add_char(&dn, '=');
    for (size_t i = 0; i < value.n; i++) {
        if (strchr("\"+,;<>\\=#", value.p[i]) ||
            (value.p[i] == ' ' && (i == 0 || i + 1 == value.n)))
            buf_add_char(&dn, '\\');
        buf_add_char(&dn, value.p[i]);
    }
    ldif_add(b, "dn", buf_str(&dn));
    buf_free(&dn);
}

static void write_user(struct buf *b, const json_t *r)
{
    struct str address = text_of_record(r, "address"), name = text_of_record(r, "name");
    struct str disabled = text_of_record(r, "disabled");
    add_dn(b, "mail", address);
    ldif_add(b, "objectClass", STR("inetOrgPerson"));
    ldif_add(b, "mail", address);
    if (name.n > 0)
        ldif_add(b, "displayName", name);
    add_text(b, "userPassword", r, "password");
    add_text(b, "authPassword", r, "scram_sha256");
    add_text(b, "authPassword", r, "scram_sha1");
    ldif_add(b, "mailUserStatus",
             str_equal(disabled, STR("yes")) ? STR("disabled") : STR("active"));
    add_text(b, "mailQuota", r, "quota_storage");
    add_list(b, "mailForwardingAddress", r, "forwards");
    add_pairs(b, r, user_pairs);
}

/* Settings of a group of another source may leave its state to that. */
static void write_group(struct buf *b, const json_t *r, struct str class)
{
    struct str disabled = text_of_record(r, "disabled");
    add_dn(b, "mail", text_of_record(r, "address"));
    ldif_add(b, "objectClass", class);
    add_text(b, "mail", r, "address");
    add_text(b, "displayName", r, "name");
    if (disabled.n > 0)
        ldif_add(b, "maildStatus",
                 str_equal(disabled, STR("yes")) ? STR("disabled") : STR("active"));
    add_pairs(b, r, group_pairs);
    add_list(b, "rfc822MailMember", r, "members");
}

static void write_simple(struct buf *b, const json_t *r, const char *address, struct str class,
                         const struct pair *pairs)
{
    add_dn(b, address, text_of_record(r, "address"));
    ldif_add(b, "objectClass", class);
    add_text(b, address, r, "address");
    add_pairs(b, r, pairs);
}

void ldif_add_record(struct buf *b, const json_t *record)
{
    struct str type = text_of_record(record, "type");
    enum record_kind kind;
    if (!ctl_record_kind_parse(type, &kind, NULL))
        kind = RECORD_KINDS;
    switch (kind) {
    case RECORD_USER:
        write_user(b, record);
        break;
    case RECORD_GROUP:
        write_group(b, record, STR("mailGroup"));
        break;
    case RECORD_GROUP_SETTINGS:
        write_group(b, record, STR("maildGroupSettings"));
        break;
    case RECORD_ADDRESS:
        write_simple(b, record, "cn", STR("nisMailAlias"), address_pairs);
        break;
    case RECORD_RULE:
        write_simple(b, record, "cn", STR("maildRule"), rule_pairs);
        break;
    case RECORD_SEND_AS:
        write_simple(b, record, "cn", STR("maildSendAs"), send_as_pairs);
        break;
    case RECORD_DOMAIN:
        write_simple(b, record, "associatedDomain", STR("maildDomain"), domain_pairs);
        break;
    case RECORD_KINDS:
        break;
    }
    buf_add_char(b, '\n');
}
