/*
 * Loading: which messages there should be. The UID list says which base name has which UID, the
 * index says the same and more; where they differ, one of them is behind: a UID that only the list
 * knows was given out by another server or expunged here, one that only the index knows is one the
 * list had not been told of.
 */
#include "core/disk.h"
#include "core/mem.h"
#include "core/random.h"
#include "store/limits.h"
#include "store/mailbox_load.h"

#include <stdlib.h>

static void add_known(struct mailbox_load *l, const struct load_known *k)
{
    l->known = mem_grow(l->known, l->known_count, &l->known_capacity, sizeof(*l->known), 64);
    l->known[l->known_count++] = *k;
}

static void note_damage(struct mailbox_load *l)
{
    l->c.list_rewrite = true;
    /* UIDs of lost lines must not be given out again. */
    if (!l->settings.replaying && !l->trusted)
        l->c.uid_next += 1000;
    err_set(&l->warning, ERR_IO, "%s/dovecot-uidlist is damaged; it is written anew",
            l->settings.dir);
}

static void add_indexed(struct mailbox_load *l, const struct message *m)
{
    add_known(l, &(struct load_known){.line = {.uid = m->uid,
                                               .has_size = true,
                                               .has_size_crlf = true,
                                               .size = m->size,
                                               .size_crlf = m->size_crlf,
                                               .extra = message_file_extra(m->file),
                                               .base = message_file_base(m->file)},
                                      .indexed = m});
}

/* The index's messages below a UID, which the list does not have. */
static void add_unlisted(struct mailbox_load *l, size_t *at, uint64_t below)
{
    while (l->has_base && *at < l->c.count && l->c.messages[*at].uid < below) {
        add_indexed(l, &l->c.messages[(*at)++]);
        l->c.list_rewrite = true;
    }
}

static void add_line(struct mailbox_load *l, const struct uidlist_line *line, size_t *at)
{
    struct load_known k = {.line = *line, .listed = true};

    add_unlisted(l, at, line->uid);
    if (l->has_base && *at < l->c.count && l->c.messages[*at].uid == line->uid) {
        const struct message *m = &l->c.messages[(*at)++];
        if (str_equal(message_file_base(m->file), line->base)) {
            k.indexed = m;
        } else if (l->trusted) {
            /* Base names never change, and only the index has a checksum. */
            add_indexed(l, m);
            l->c.list_rewrite = true;
            return;
        }
    }
    add_known(l, &k);
}

static void parse_lines(struct mailbox_load *l, struct str text)
{
    bool damaged, any_damage = false;
    struct uidlist_line line;
    uint32_t last = 0;
    size_t at = 0;

    l->c.list_lines = 0;
    while (text.n > 0) {
        if (uidlist_read_line(&text, last, &line, &damaged)) {
            last = line.uid;
            add_line(l, &line, &at);
        } else if (damaged) {
            any_damage = true;
        }
        l->c.list_lines++;
    }
    add_unlisted(l, &at, UINT64_MAX);
    l->c.list_last = last;
    if (l->c.uid_next <= last)
        l->c.uid_next = last + 1;
    if (any_damage)
        note_damage(l);
}

/* Is the list of the same mailbox as the index? */
static void compare_identity(struct mailbox_load *l, const struct uidlist_header *h)
{
    if (l->has_base && (h->validity != l->c.uid_validity || !h->has_guid ||
                        memcmp(h->guid, l->c.guid, GUID_SIZE) != 0))
        load_drop_base(l);
}

static bool take_identity(struct mailbox_load *l, const struct uidlist_header *h)
{
    struct mailbox_content *c = &l->c;

    compare_identity(l, h);
    c->uid_validity = h->validity;
    if (c->uid_next < h->next)
        c->uid_next = h->next;
    if (c->uid_next == 0)
        c->uid_next = 1;
    l->made_identity = !h->has_guid;
    if (h->has_guid)
        memcpy(c->guid, h->guid, GUID_SIZE);
    else
        random_bytes(c->guid, GUID_SIZE);
    free(c->list_extra);
    c->list_extra = h->extra.n > 0 ? mem_dup(h->extra.p, h->extra.n) : NULL;
    return true;
}

/* There is no list, or none that can be read. */
static bool make_identity(struct mailbox_load *l)
{
    struct mailbox_content *c = &l->c;
    size_t at = 0;

    l->made_identity = true;
    if (l->has_base) {
        add_unlisted(l, &at, UINT64_MAX);
        c->list_rewrite = true;
        c->list_lines = 0;
        return true;
    }
    c->uid_next = 1;
    random_bytes(c->guid, GUID_SIZE);
    return uidvalidity_take(l->settings.maildir, l->settings.now, 1, &c->uid_validity, &l->error);
}

bool load_read_list(struct mailbox_load *l)
{
    struct uidlist_header h = {0};
    struct err error = {0};

    if (!disk_read_file(load_path(l, "dovecot-uidlist"), UIDLIST_SIZE_MAX, &l->list, &error) &&
        error.kind != ERR_NOT_FOUND) {
        l->error = error;
        return false;
    }
    struct str text = buf_str(&l->list);
    if (!uidlist_read_header(&text, &h)) {
        if (l->list.n > 0)
            err_set(&l->warning, ERR_IO, "%s/dovecot-uidlist is unreadable; %s", l->settings.dir,
                    l->has_base ? "it is written anew" : "all messages get new UIDs");
        return make_identity(l);
    }
    bool ok = take_identity(l, &h);
    parse_lines(l, text);
    return ok;
}

void load_prepare_files(struct mailbox_load *l)
{
    for (size_t i = 0; i < l->known_count; i++) {
        struct load_known *k = &l->known[i];
        struct str base = k->line.base;
        if (k->indexed || base.n > FILE_NAME_MAX)
            continue;
        k->file =
            message_file_make(&l->c.files, &(struct message_file){.base_length = (uint8_t)base.n},
                              base, k->line.extra);
        load_name_sizes(&k->line, base);
    }
}

/* --- dovecot-keywords --- */

/* Another program added names; what it removed or changed is not understood. */
static bool join_keywords(struct mailbox_load *l, const struct keyword_table *names)
{
    struct keyword_table *k = &l->c.keywords;

    for (size_t i = 0; i < KEYWORD_LETTERS; i++) {
        struct str theirs = i < names->count ? names->names[i] : STR("");
        struct str ours = i < k->count ? k->names[i] : STR("");
        if (str_equal(theirs, ours))
            continue;
        if (theirs.n == 0)
            l->c.keywords_changed = true;
        else if (!keywords_put(k, i, theirs))
            return false;
    }
    return true;
}

bool load_read_keywords(struct mailbox_load *l)
{
    struct buf text = BUF_EMPTY;
    struct keyword_table names = {0};
    struct err error = {0};

    bool ok = disk_read_file(load_path(l, "dovecot-keywords"), KEYWORDS_SIZE_MAX, &text, &error) ||
              error.kind == ERR_NOT_FOUND;
    if (!ok)
        l->error = error;
    keywords_parse(&names, buf_str(&text));
    if (ok && l->has_base && !join_keywords(l, &names))
        load_drop_base(l);
    if (l->has_base) {
        keywords_free(&names);
    } else {
        keywords_free(&l->c.keywords);
        l->c.keywords = names;
    }
    buf_free(&text);
    return ok;
}
