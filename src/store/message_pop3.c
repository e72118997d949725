/*
 * What dovecot-uidlist keeps of a message for POP3, among the further fields of its line:
 * "P<UIDL> O<order> G<GUID>". A GUID that is not told is the base name.
 */
#include "store/mailbox_content.h"
#include "store/pending.h"

void message_get_pop3(const struct message *m, struct message_pop3 *p)
{
    bool pending = m->state & STATE_PENDING;
    const struct message_file *f =
        pending ? ((const struct pending_target *)m->file)->file : m->file;
    struct str fields = message_file_extra(f);

    *p = (struct message_pop3){.base = message_file_base(f), .guid = message_file_base(f)};
    while (fields.n > 0) {
        struct str field = str_word(&fields);
        if (field.n == 0)
            break;
        struct str value = str_skip(field, 1);
        if (field.p[0] == 'P') {
            p->has_uidl = true;
            p->uidl = value;
        } else if (field.p[0] == 'O') {
            p->has_order = str_to_u32(value, &p->order);
        } else if (field.p[0] == 'G' && value.n > 0) {
            p->guid = value;
        }
    }
}
