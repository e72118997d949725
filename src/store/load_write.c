/*
 * What reading a mailbox has decided goes to disk: UIDs of files that others brought to the list,
 * and what else they did to the index, as a change with a modseq; it must not be told before it is
 * durable. On workers.
 */
#include "store/mailbox_load.h"

#include "core/mem.h"

#include <stdlib.h>

static bool write_list(struct mailbox_load *l, uint32_t first_new_uid)
{
    struct mailbox_content *c = &l->c;
    const char *dir = l->settings.dir;
    bool ok = true;

    if (l->made_identity || (c->list_rewrite && !l->settings.replaying)) {
        struct uidlist_header h = {
            .validity = c->uid_validity, .next = c->uid_next, .extra = str_from_c(c->list_extra)};
        memcpy(h.guid, c->guid, GUID_SIZE);
        ok = uidlist_file_replace(dir, &h, c->messages, c->count, &l->error);
        c->list_lines = c->count;
        c->list_rewrite = false;
    } else if (c->uid_next > first_new_uid) {
        size_t from = mailbox_content_find(c, first_new_uid);
        ok = uidlist_file_append(dir, c->messages + from, c->count - from, 0, true, &l->error);
        c->list_lines += c->count - from;
    } else {
        return true;
    }
    c->list_last = c->uid_next - 1;
    c->stamps.list = dir_stamp_read(load_path(l, "dovecot-uidlist"));
    return ok;
}

static bool write_index(struct mailbox_load *l)
{
    struct mailbox_content *c = &l->c;
    struct index_since since = {
        .modseq = c->index_modseq, .keyword_changes = c->index_keywords, .sets = c->index_sets};
    struct index_write w = {
        .dir = l->settings.dir, .sync = true, .replace = !c->index.exists, .file = c->index};

    c->index_from = UINT32_MAX;
    w.messages = mem_array(c->count, sizeof(*w.messages));
    for (size_t i = 0; i < c->count; i++) {
        struct message *m = &c->messages[i];
        if (w.replace || m->state & STATE_UNINDEXED)
            w.messages[w.count++] = *m;
        m->state &= (uint8_t)~STATE_UNINDEXED;
    }
    mailbox_content_count(c);
    index_header_fill(&w.header, c);
    w.header.young = true;
    index_begin_block(&w.block, w.replace ? INDEX_SNAPSHOT : INDEX_CHANGES);
    index_add_state(&w.block, c, w.replace ? NULL : &since);
    bool ok = index_write(&w, &l->error);
    mailbox_content_indexed(c, &w.file);
    free(w.messages);
    buf_free(&w.block);
    return ok;
}

bool load_write_decisions(struct mailbox_load *l, uint32_t first_new_uid)
{
    return write_list(l, first_new_uid) &&
           (l->foreign_modseq == 0 || l->settings.replaying || write_index(l));
}
