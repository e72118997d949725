/*
 * What clients ask for beside the delivery itself, put into words: those of the parameters, so
 * that who knows the RFCs knows them.
 */
#include "queue/envelope.h"

#include "mime/date.h"

void envelope_options_write(struct buf *out, const struct envelope_options *o)
{
    if (o->envelope_id.n > 0)
        buf_printf(out, " envid=%.*s", STR_ARG(o->envelope_id));
    if (o->dsn_return != DSN_RETURN_UNSET)
        buf_printf(out, " ret=%s", o->dsn_return == DSN_RETURN_FULL ? "full" : "hdrs");
    if (o->require_tls)
        buf_add_c(out, " requiretls");
    if (o->tls_optional)
        buf_add_c(out, " tls-required=no");
    if (o->priority != 0)
        buf_printf(out, " mt-priority=%d", o->priority);
    if (o->deliver_by != 0) {
        buf_add_c(out, " by=");
        date_write_rfc3339(out, o->deliver_by / USEC_SEC);
        buf_printf(out, ";%c%s", o->deliver_by_return ? 'R' : 'N', o->deliver_by_trace ? "T" : "");
    }
    if (o->hold_until != 0) {
        buf_add_c(out, " holduntil=");
        date_write_rfc3339(out, o->hold_until / USEC_SEC);
    }
}

void dsn_notify_write(struct buf *out, unsigned notify)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{NOTIFY_NEVER, "NEVER"},
                 {NOTIFY_SUCCESS, "SUCCESS"},
                 {NOTIFY_FAILURE, "FAILURE"},
                 {NOTIFY_DELAY, "DELAY"}};
    const char *separator = "";
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (notify & names[i].bit) {
            buf_printf(out, "%s%s", separator, names[i].name);
            separator = ",";
        }
}
