/*
 * The tables of verbs, and which verb a name means.
 */
#include "ctl/ctl_verbs.h"

#include <string.h>

/* One a line, so that changes stay apart. */
/* clang-format off */
static const struct ctl_verb *const plain_tables[] = {
    ctl_status_verbs, ctl_counters_verbs,
    ctl_recording_verbs,
    ctl_log_verbs,
    ctl_user_verbs,
    ctl_verify_verbs,
    ctl_explain_verbs,
    ctl_route_verbs,
    ctl_srs_verbs,
    ctl_mailbox_verbs,
    ctl_policy_verbs,
    ctl_tls_verbs,
    ctl_auth_verbs,
    ctl_directory_verbs,
    ctl_send_as_test_verbs,
};

static const struct ctl_stream_verb *const stream_tables[] = {
    ctl_hand_over_verbs,
    ctl_trace_verbs,
    ctl_own_verbs,
    ctl_session_verbs,
    ctl_limits_verbs,
    ctl_user_stream_verbs,
    ctl_group_verbs,
    ctl_app_password_verbs,
    ctl_record_verbs,
    ctl_mailbox_stream_verbs,
    ctl_expunged_verbs,
    ctl_message_verbs,
    ctl_fetch_verbs,
    ctl_quota_stream_verbs,
    ctl_store_verbs,
    ctl_export_verbs,
    ctl_acl_verbs,
    ctl_import_verbs,
    ctl_policy_stream_verbs,
    ctl_queue_verbs,
    ctl_queue_operate_verbs,
    ctl_domain_verbs,
    ctl_address_verbs,
    ctl_rule_verbs,
    ctl_send_as_verbs,
};
/* clang-format on */

#define PLAIN_TABLES  (sizeof(plain_tables) / sizeof(*plain_tables))
#define STREAM_TABLES (sizeof(stream_tables) / sizeof(*stream_tables))

bool ctl_verb_at(size_t i, struct ctl_row *row)
{
    for (size_t t = 0; t < PLAIN_TABLES; t++)
        for (const struct ctl_verb *v = plain_tables[t]; v->name; v++)
            if (i-- == 0) {
                *row = (struct ctl_row){v->name, &v->access, v, NULL};
                return true;
            }
    for (size_t t = 0; t < STREAM_TABLES; t++)
        for (const struct ctl_stream_verb *v = stream_tables[t]; v->name; v++)
            if (i-- == 0) {
                *row = (struct ctl_row){v->name, &v->access, NULL, v};
                return true;
            }
    return false;
}

bool ctl_verb_find(const char *name, struct ctl_row *row, struct err *e)
{
    for (size_t t = 0; t < PLAIN_TABLES; t++)
        for (const struct ctl_verb *v = plain_tables[t]; v->name; v++)
            if (strcmp(v->name, name) == 0) {
                *row = (struct ctl_row){v->name, &v->access, v, NULL};
                return true;
            }
    for (size_t t = 0; t < STREAM_TABLES; t++)
        for (const struct ctl_stream_verb *v = stream_tables[t]; v->name; v++)
            if (strcmp(v->name, name) == 0) {
                *row = (struct ctl_row){v->name, &v->access, NULL, v};
                return true;
            }
    return err_set(e, ERR_SYNTAX, "unknown verb \"%.40s\"", name);
}
