#pragma once
/*
 * The settings of the server as a whole, and the list of all tables that make up maild.conf: what
 * maild reads, mailctl checks and shows, and the manual page describes.
 */
#include "core/arena.h"
#include "core/buf.h"
#include "core/settings.h"

struct server_settings {
    const char *hostname; /* "": the system's */
    const char *data_dir, *run_dir;
    const char *maildrop;      /* "": none */
    const char *log;           /* "": standard error */
    struct string_list log_to; /* see server_log_targets */
    const char *log_actions;   /* "": in the log */
    int log_level;             /* enum log_level */
    const char *user;
    const char *admin_group;
    const char *control_users_domain; /* "": none */
    const char *control_socket;       /* "": RUN/control.sock */
    bool sandbox, core_dumps;
    struct string_list sandbox_write;
    int64_t connections_max, connections_per_address;
    int64_t connections_reserved;                                     /* per cent */
    int64_t connections_http;                                         /* per cent */
    int64_t connections_per_login, connections_per_login_and_address; /* of one protocol */
};
extern const struct settings_block server_settings_block; /* "": top of the file */

struct log_change;
struct log_target;
/* list: room for LOG_KINDS. */
bool server_log_targets(const struct server_settings *s, struct log_target *list, size_t *count,
                        struct err *e);
/* As log_prepare. */
struct log_change *server_prepare_log(const struct server_settings *s, struct err *e);

struct journal_file_settings {
    const char *path; /* "": DATA/journal */
    int64_t segment_size, size_max;
    usec checkpoint_interval;
};
extern const struct settings_block journal_settings_block; /* "journal" */

/* All tables, NULL-terminated. */
extern const struct settings_block *const server_blocks[];

/* Paths as they are in effect, in a. */
const char *server_control_socket(const struct server_settings *s, struct arena *a);
/* chosen, or DATA/name when it is empty. */
const char *server_data_path(const struct server_settings *s, const char *chosen, const char *name,
                             struct arena *a);
/* The configured name, or the system's. */
const char *server_hostname(const struct server_settings *s, struct arena *a);

/* Checks that go beyond one block: a listener with TLS needs a certificate. */
bool server_check(const struct config *c, struct err *e);
/* config_read with server_blocks, and server_check. Blocking. */
struct config *server_read_config(const char *path, struct err *e);

/* Whether a reload makes it true. */
bool server_change_is_live(const struct config_change *change);
/* What of the change from `before` to `after` takes effect only with a restart, by name:
 * "data_dir, ldap corp"; empty when there is nothing. */
void server_restart_needed(const struct config *before, const struct config *after, struct buf *b);
