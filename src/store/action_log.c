/*
 * The log of actions. Names from outside stand between < and >; control characters cannot get
 * through (core/log.h).
 */
#include "store/action_log.h"

#include "core/log.h"

/* Bytes of a list of UIDs in a line. */
#define UIDS_MAX 1000

/* Public mailboxes are marked as destinations of mail name them. */
static const char *mark_of(const struct mailbox *m)
{
    return mailbox_is_public(m) ? ":public:" : "";
}

/* " uids=1:3,5" */
static void add_uids(struct buf *b, const char *name, const uint32_t *uids, size_t count)
{
    buf_printf(b, " %s=", name);
    for (size_t i = 0, last; i < count && b->n < UIDS_MAX; i = last + 1) {
        for (last = i; last + 1 < count && uids[last + 1] == uids[last] + 1;)
            last++;
        buf_printf(b, last > i ? "%s%u:%u" : "%s%u", i > 0 ? "," : "", uids[i], uids[last]);
        if (b->n >= UIDS_MAX && last + 1 < count)
            buf_add_c(b, ",...");
    }
}

void action_log_messages(struct actor a, const char *action, const struct mailbox *m,
                         const uint32_t *uids, size_t count)
{
    struct buf list = BUF_EMPTY;

    if (count == 0)
        return;
    add_uids(&list, "uids", uids, count);
    log_action(a.component, a.id, "%s user=<%.*s> mailbox=<%s%.*s>%s count=%zu", action,
               STR_ARG(a.login), mark_of(m), STR_ARG(mailbox_name(m)), buf_c(&list), count);
    buf_free(&list);
}

void action_log_transfer(struct actor a, const char *action, const struct mailbox *from,
                         const struct mailbox *to, const uint32_t *source, const uint32_t *copies,
                         size_t count)
{
    struct buf old = BUF_EMPTY, new = BUF_EMPTY;

    if (count == 0)
        return;
    add_uids(&old, "uids", source, count);
    add_uids(&new, "to_uids", copies, count);
    log_action(a.component, a.id, "%s user=<%.*s> mailbox=<%s%.*s>%s to=<%s%.*s>%s count=%zu",
               action, STR_ARG(a.login), mark_of(from), STR_ARG(mailbox_name(from)), buf_c(&old),
               mark_of(to), STR_ARG(mailbox_name(to)), buf_c(&new), count);
    buf_free(&old);
    buf_free(&new);
}

void action_log_folder(struct actor a, const char *action, struct str name, struct str to)
{
    log_action(a.component, a.id,
               to.n > 0 ? "%s user=<%.*s> mailbox=<%.*s> to=<%.*s>"
                        : "%s user=<%.*s> mailbox=<%.*s>%.*s",
               action, STR_ARG(a.login), STR_ARG(name), STR_ARG(to));
}

void action_log_acl(struct actor a, struct str mailbox, const struct acl_identifier *id,
                    enum acl_change change, unsigned rights)
{
    static const char *const signs[] = {
        [ACL_REPLACE] = "", [ACL_ADD] = "+", [ACL_REMOVE] = "-", [ACL_DELETE] = ""};
    struct buf name = BUF_EMPTY, letters = BUF_EMPTY;

    acl_identifier_write(&name, id);
    acl_letters_write(&letters, rights);
    log_action(a.component, a.id, "%s user=<%.*s> mailbox=<%.*s> identifier=<%s> rights=\"%s%s\"",
               change == ACL_DELETE ? "deleteacl" : "setacl", STR_ARG(a.login), STR_ARG(mailbox),
               buf_c(&name), signs[change], buf_c(&letters));
    buf_free(&name);
    buf_free(&letters);
}
