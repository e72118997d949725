/*
 * Special uses are annotations as well, so a mailbox that is brought back is "Sent" again unless
 * another one is by now.
 */
#include "ctl/ctl_metadata.h"

#include "ctl/ctl_json.h"
#include "store/metadata.h"

static json_t *entry_json(const struct metadata_entry *entry)
{
    json_t *json = json_pack("{s:o}", "name", ctl_json_str(entry->name));
    json_t *value = json_stringn(entry->value.p, entry->value.n);
    struct buf b = BUF_EMPTY;
    if (!value) {
        buf_add_base64(&b, entry->value);
        value = json_stringn(buf_str(&b).p, b.n);
        json_object_set_new(json, "base64", json_true());
    }
    json_object_set_new(json, "value", value);
    buf_free(&b);
    return json;
}

json_t *ctl_metadata_json(struct store *s, const struct account *account, struct str mailbox,
                          struct err *e)
{
    struct arena *a = arena_new();
    struct metadata m = {0};
    json_t *list = NULL;
    if (metadata_get(s, account, mailbox, a, &m, e)) {
        list = json_array();
        for (size_t i = 0; i < m.count; i++)
            if (m.list[i].value.p)
                json_array_append_new(list, entry_json(&m.list[i]));
    }
    arena_free(a);
    return list;
}

/* --- bringing back --- */

static bool take_entry(const json_t *json, struct arena *a, struct metadata_entry *entry,
                       struct err *e)
{
    const json_t *value = json_object_get(json, "value");
    struct buf b = BUF_EMPTY;
    if (!ctl_arg_str(json, "name", &entry->name, e))
        return false;
    entry->value = str_from(json_string_value(value), json_string_length(value));
    bool ok = entry->value.p != NULL;
    if (ok && json_is_true(json_object_get(json, "base64"))) {
        ok = buf_add_base64_decoded(&b, entry->value);
        entry->value = arena_str(a, buf_str(&b));
    }
    buf_free(&b);
    return ok || err_set(e, ERR_SYNTAX, "metadata: a value is malformed");
}

static SUSPENDS bool is_used_elsewhere(struct store *s, const struct account *account,
                                       struct str mailbox, struct str use, struct arena *a)
{
    struct mailbox_info *list;
    size_t count;
    struct err e;
    if (!store_list_mailboxes(s, account, a, &list, &count, &e))
        return true;
    for (size_t i = 0; i < count; i++)
        if (!str_equal(list[i].name, mailbox) && str_find(list[i].special_use, use) >= 0)
            return true;
    return false;
}

/* Is the entry there, in whatever form? */
static SUSPENDS bool is_settled(struct store *s, const struct account *account, struct str mailbox,
                                const struct metadata *have, const struct metadata_entry *entry,
                                struct arena *a)
{
    const struct metadata_entry *there = metadata_find(have, entry->name);
    if (there && there->value.p)
        return true;
    return str_equal_nocase(entry->name, STR(METADATA_SPECIAL_USE)) &&
           is_used_elsewhere(s, account, mailbox, entry->value, a);
}

bool ctl_metadata_restore(struct store *s, const struct account *account, struct str mailbox,
                          const json_t *json, struct err *e)
{
    size_t n = json_array_size(json), count = 0, i;
    json_t *member;
    struct metadata have = {0};
    enum metadata_refusal why;
    if (n == 0)
        return true;
    struct arena *a = arena_new();
    struct metadata_entry *changes = arena_array(a, n, sizeof(*changes));
    bool ok = metadata_get(s, account, mailbox, a, &have, e);
    json_array_foreach(json, i, member)
    {
        ok = ok && take_entry(member, a, &changes[count], e);
        if (ok && !is_settled(s, account, mailbox, &have, &changes[count], a))
            count++;
    }
    ok = ok && (count == 0 || metadata_set(s, account, mailbox, changes, count, &why, e));
    arena_free(a);
    return ok;
}
