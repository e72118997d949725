/*
 * The protocol at a glance: every command, when it is allowed and who carries it out.
 */
#include "imap/command.h"

#define A IMAP_ANONYMOUS
#define L IMAP_LOGGED_IN
#define S IMAP_SELECTED
#define N (IMAP_HAS_UID | IMAP_BY_NUMBER)

static const struct imap_command_entry commands[] = {
    {"APPEND", L, 0, imap_cmd_append, imap_append_literal},
    {"AUTHENTICATE", A, 0, imap_cmd_authenticate, NULL},
    {"CANCELUPDATE", S, 0, imap_cmd_cancelupdate, NULL},
    {"CAPABILITY", IMAP_ANY, 0, imap_cmd_capability, NULL},
    {"CHECK", S, 0, imap_cmd_check, NULL},
    {"CLOSE", S, IMAP_NO_SYNC, imap_cmd_close, NULL},
    {"COMPRESS", L, 0, imap_cmd_compress, NULL},
    {"COPY", S, N, imap_cmd_copy, NULL},
    {"CREATE", L, 0, imap_cmd_create, NULL},
    {"DELETE", L, 0, imap_cmd_delete, NULL},
    {"DELETEACL", L, 0, imap_cmd_deleteacl, NULL},
    {"ENABLE", L, 0, imap_cmd_enable, NULL},
    {"ESEARCH", L, IMAP_HAS_UID, imap_cmd_esearch, NULL},
    {"EXAMINE", L, IMAP_NO_SYNC, imap_cmd_examine, NULL},
    {"EXPUNGE", S, IMAP_HAS_UID | IMAP_NEEDS_WRITE, imap_cmd_expunge, NULL},
    {"FETCH", S, N | IMAP_SECTIONS | IMAP_NO_EXPUNGE, imap_cmd_fetch, NULL},
    {"GETACL", L, 0, imap_cmd_getacl, NULL},
    {"GETMETADATA", L, 0, imap_cmd_getmetadata, NULL},
    {"GETQUOTA", L, 0, imap_cmd_getquota, NULL},
    {"GETQUOTAROOT", L, 0, imap_cmd_getquotaroot, NULL},
    {"ID", IMAP_ANY, 0, imap_cmd_id, NULL},
    {"IDLE", L, 0, imap_cmd_idle, NULL},
    {"LIST", L, 0, imap_cmd_list, NULL},
    {"LISTRIGHTS", L, 0, imap_cmd_listrights, NULL},
    {"LOGIN", A, 0, imap_cmd_login, NULL},
    {"LOGOUT", IMAP_ANY, IMAP_NO_SYNC, imap_cmd_logout, NULL},
    {"LSUB", L, 0, imap_cmd_lsub, NULL},
    {"MOVE", S, N | IMAP_NEEDS_WRITE, imap_cmd_move, NULL},
    {"MYRIGHTS", L, 0, imap_cmd_myrights, NULL},
    {"NAMESPACE", L, 0, imap_cmd_namespace, NULL},
    {"NOOP", IMAP_ANY, 0, imap_cmd_noop, NULL},
    {"NOTIFY", L, IMAP_SECTIONS, imap_cmd_notify, NULL},
    {"RENAME", L, 0, imap_cmd_rename, NULL},
    {"REPLACE", S, N | IMAP_NEEDS_WRITE, imap_cmd_replace, imap_replace_literal},
    {"SEARCH", S, N | IMAP_NO_EXPUNGE, imap_cmd_search, NULL},
    {"SELECT", L, IMAP_NO_SYNC, imap_cmd_select, NULL},
    {"SETACL", L, 0, imap_cmd_setacl, NULL},
    {"SETMETADATA", L, 0, imap_cmd_setmetadata, NULL},
    {"SETQUOTA", L, 0, imap_cmd_setquota, NULL},
    {"SORT", S, N | IMAP_NO_EXPUNGE, imap_cmd_sort, NULL},
    {"STARTTLS", A, 0, imap_cmd_starttls, NULL},
    {"STATUS", L, 0, imap_cmd_status, NULL},
    {"STORE", S, N | IMAP_NO_EXPUNGE | IMAP_NEEDS_WRITE, imap_cmd_store, NULL},
    {"SUBSCRIBE", L, 0, imap_cmd_subscribe, NULL},
    {"THREAD", S, N | IMAP_NO_EXPUNGE, imap_cmd_thread, NULL},
    {"UNAUTHENTICATE", L, IMAP_NO_SYNC, imap_cmd_unauthenticate, NULL},
    {"UNSELECT", S, IMAP_NO_SYNC, imap_cmd_unselect, NULL},
    {"UNSUBSCRIBE", L, 0, imap_cmd_unsubscribe, NULL},
};

const struct imap_command_entry *imap_command_find(struct str name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (str_equal_nocase(name, str_from_c(commands[i].name)))
            return &commands[i];
    return NULL;
}
