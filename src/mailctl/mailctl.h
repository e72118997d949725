#pragma once
/*
 * mailctl: what its commands share. A command is a row in a table (commands_*.c); its function
 * returns the exit status.
 */
#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"
#include "net/pass_sockets.h"

#include <jansson.h>

/* Exit status. */
enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NO_SERVER = 3, /* nobody answers at the control socket */
    EXIT_MISSING = 4,   /* there is no such thing */
    EXIT_DENIED = 5,    /* not allowed */
    CHECK_UNKNOWN = 3,  /* of `mailctl check`, which has the plugins' own */
};

struct config;
struct server_settings;

struct mailctl {
    struct arena *arena; /* for the life of the program */
    const char *program; /* argv[0] */
    const char *config_path;
    const char *root; /* --root, else NULL */
    bool json;
    int64_t begun, shown;                   /* progress: clock_monotonic */
    bool measured;                          /* and it is known how far */
    struct config *config;                  /* read at the first need */
    const struct server_settings *settings; /* in config */
};

/* An option of a command, given any number of times. */
struct option_value {
    const char *name; /* as in the table */
    const char *value;
};

struct arguments {
    const char **words;
    size_t count;
    struct option_value *options;
    size_t option_count;
};

/* The word's text, or NULL. */
const char *argument(const struct arguments *a, size_t i);
/* The last value of an option ("" for one without value), or NULL. */
const char *option(const struct arguments *a, const char *name);

/* All values of an option: a JSON array. */
json_t *option_list(const struct arguments *a, const char *name);

/* Reads the configuration at the first call. */
bool mailctl_settings(struct mailctl *m, struct err *e);

/* --- complain.c: what went wrong, on standard error; as JSON when results are --- */

/* Prints "mailctl: text"; returns EXIT_FAILED. */
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same with a hint at --help; EXIT_USAGE. */
int fail_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for an error; the exit status that goes with its kind. */
int fail_error(const struct err *e);
int fail_kind(enum err_kind kind, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* From now on {"error": text, "kind": kind}. */
void complain_as_json(void);

/* --- client.c: asking the server --- */

struct client;
/* ERR_CLOSED: nobody answers; *path (may be NULL) is the socket's. */
struct client *client_open(struct mailctl *m, struct err *e);
void client_close(struct client *c);
/* Takes args (may be NULL). *result is the caller's. For verbs that answer with a result alone:
 * items are an error, whose answer is read in steps (below). */
bool client_call(struct client *c, const char *verb, json_t *args, json_t **result, struct err *e);
/* A call in steps: begin (takes args), then next until it is not CLIENT_ITEM. *json is the item, or
 * the result when done; the caller's. Progress is shown. */
bool client_begin(struct client *c, const char *verb, json_t *args, struct err *e);
enum client_got { CLIENT_ITEM, CLIENT_DONE, CLIENT_FAILED };
enum client_got client_next(struct client *c, json_t **json, struct err *e);
/* The next piece of the item's bytes, borrowed until the next call; empty when there are no more.
 */
bool client_bytes(struct client *c, struct str *piece, struct err *e);
/* After a failure of client_bytes: the server cannot read the rest of this item; others follow. */
bool client_is_broken(const struct client *c);
/* The caller shows progress itself, or waits for ever by intent. */
void client_be_quiet(struct client *c);
/* An item behind the request (taken), with its first bytes; item NULL: a further part. A part has
 * at most CTL_PART_MAX bytes. */
bool client_send(struct client *c, json_t *item, struct str bytes, bool more, struct err *e);
bool client_send_end(struct client *c, struct err *e);
/* When sending failed: the server's reason instead of *e, if it gave one. Returns false. */
bool client_take_refusal(struct client *c, struct err *e);
/* After client_begin, before anything else: sockets that come with the first item, the caller's. */
bool client_receive_sockets(struct client *c, int fds[PASS_SOCKETS_MAX], size_t *count,
                            struct err *e);
/* Open, call, close, and print the error: the exit status. With --json prints the result and sets
 * it to NULL; result may be NULL when it is of no interest. */
int ask(struct mailctl *m, const char *verb, json_t *args, json_t **result);

/* Who is no administrator is *login, in the arena; of an administrator it is NULL. */
bool find_own_login(struct mailctl *m, const char **login, struct err *e);

/* {"name": value, "name2": value2}; a NULL value is left out. */
json_t *args_of(const char *name, const char *value, const char *name2, const char *value2);
/* Of a verb without a result: prints "what of" when it is done. */
int ask_simply(struct mailctl *m, const char *verb, json_t *args, const char *what, const char *of);

/* The same for a verb that answers with items: fn is called for each; with --json they are printed
 * as an array instead. result (may be NULL) is the caller's. */
int ask_items(struct mailctl *m, const char *verb, json_t *args,
              void (*fn)(void *arg, const json_t *item), void *arg, json_t **result);

/* --- message.c: what the commands about users and with a query share --- */

/* "user" from the only word, or "all". NULL: neither or both, which was said. */
json_t *user_args(const struct arguments *a);
/* "user" or "all", and "query" from the words: a user unless --all, `words` others from *next on,
 * then the query. NULL: something is missing, which was said. */
json_t *query_args(const struct arguments *a, size_t words, size_t *next);
/* An item that tells of a failure: prints it. */
bool print_failure(const json_t *item);
/* Prints "what N messages in M mailboxes" from the result (taken); the exit status. */
int end_counted(struct mailctl *m, int status, json_t *result, const char *what);

/* --- expunged.c --- */

/* An option that is a moment ("2h", "7d": so long ago; "2026-11-21", "2026-11-21 14:30"), as a
 * number of args: seconds since 1970. False: it is none, which was said. */
bool option_moment(const struct arguments *a, const char *name, json_t *args, const char *as);

/* --- progress.c --- */

/* One line on a terminal (standard error) once it has taken two seconds; of 0: unknown; bytes 0:
 * none. */
void progress_show(struct mailctl *m, int64_t done, int64_t of, int64_t bytes);
/* The same where nobody knows how far it is: "for_what, 5 s". To be called now and then. */
void progress_wait(struct mailctl *m, const char *for_what);
void progress_clear(struct mailctl *m);
/* Asks "text [y/N]" on the terminal, unless --yes is among the options; without a terminal it is
 * no.
 */
bool confirm(const struct arguments *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* --- shade.c: colours on a terminal --- */

enum shade { SHADE_NONE, SHADE_GOOD, SHADE_WARN, SHADE_BAD, SHADE_DIM, SHADE_BOLD };
/* What goes in front of a text on standard output, and behind it; "" when that is no terminal, with
 * NO_COLOR and with TERM=dumb. */
const char *shade_begin(enum shade shade);
const char *shade_end(void);

/* --- table.c: tables for people --- */

struct table;
/* Titles end with NULL; one that begins with '>' is a column of numbers, flush right. */
struct table *table_new(const char *const *titles);
/* The next cell; rows follow from the number of columns. Control characters become '?'. */
void table_add(struct table *t, const char *text);
void table_printf(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* In a colour, where there are colours (shade.c). */
void table_add_shaded(struct table *t, enum shade shade, const char *text);
/* "2 h 5 min" for seconds, "25.0 MB" for bytes, "2025-01-31 12:00" for a time. */
void table_add_duration(struct table *t, int64_t seconds);
void table_add_size(struct table *t, int64_t bytes);
void table_add_time(struct table *t, int64_t seconds);
/* Prints and frees. */
void table_print(struct table *t);
/* Frees, and prints only if asked to: the table, or of an empty one the sentence that says so
 * (NULL: nothing). */
void table_end(struct table *t, bool print, const char *nothing);
/* Such a sentence for a list that may be of one domain only: "there are no users in example.test".
 * where: NULL for all. */
const char *there_are_no(const struct mailctl *m, const char *what, const char *where);

void print_json(const json_t *json);
/* For --json a text is an object as well, {"text": ...}. */
void print_page(const struct mailctl *m, struct str text);
/* The same where standard output may be full of something else: to standard error then. */
void print_json_beside(const json_t *json, bool is_free);
/* With --json there is always one document: {} of a command that says nothing else. To be called by
 * those that print theirs piece by piece. */
void json_told(void);
bool is_json_told(void);
/* A member's text, "" when it is missing; a member's number. */
const char *text_of(const json_t *object, const char *name);
int64_t number_of(const json_t *object, const char *name);
bool is_true(const json_t *object, const char *name);
/* Bytes of strangers, "?" for those that are no UTF-8. */
json_t *json_str(struct str s);
/* What err_kind_name has called so; ERR_PERM for what nothing is called. */
enum err_kind kind_by_name(const char *name);
/* A member that is a list of strings, as one string; the caller frees it. */
char *join_texts(const json_t *object, const char *name, const char *separator);
void add_duration(struct buf *b, int64_t seconds);
void add_size(struct buf *b, int64_t bytes);
void add_time(struct buf *b, int64_t seconds);
/* "1 message", "2 mailboxes"; returns text. */
#define COUNT_TEXT 64
const char *count_of(char text[COUNT_TEXT], int64_t n, const char *what);

/* --- password.c --- */

/* Asks on the terminal without echo, twice; or reads one line of standard input when the option
 * --password-stdin is given. In the arena; NULL after an error was printed. */
const char *read_password(struct mailctl *m, const struct arguments *a, const char *login,
                          int *status);
/* The same for one that exists already: asked for once. */
const char *read_known_password(struct mailctl *m, const struct arguments *a, const char *login,
                                int *status);

/* --- config.c --- */

/* The configuration with what a server reads at its start: certificates, tables, rules. */
bool config_is_correct(struct mailctl *m, struct err *e);

/* --- spawn.c --- */

/* Whether the program that spawn_maild would start can run on this machine. */
bool maild_runs(struct mailctl *m, struct err *e);
/* The file that standard error of a maild in the background goes to, made anew. */
bool spawn_open_output(const char *path, int *fd, struct err *e);
/* Starts maild in the background, with these listening sockets. Takes output, whatever comes of it.
 */
bool spawn_maild(struct mailctl *m, const char *config, int output, const int *sockets,
                 size_t count, int *pid, struct err *e);
/* systemd runs this machine, and maild is one of its services. */
bool service_unit_exists(void);
/* True while the process exists (and is no zombie). */
bool process_lives(int pid);

/* --- commands.c: the commands --- */

typedef int command_function(struct mailctl *m, const struct arguments *a);

#define OPTIONS_MAX 22

struct option_row {
    const char *name;  /* "--domain" */
    const char *value; /* "NAME"; "[NAME]": may lack it; NULL: takes none */
    const char *help;
};

struct command {
    const char *name;  /* "user add" */
    const char *words; /* "LOGIN" */
    const char *help;
    command_function *run;
    size_t least, most; /* words */
    struct option_row options[OPTIONS_MAX];
};

/* In the order of the help; NULL behind the last one. */
const struct command *command_at(size_t i);
/* What the commands from this one on are about, if it is the first of its group; else NULL. */
const char *command_title_at(size_t i);
/* Lines that show its use, examples.c; NULL: none. */
const char *command_examples(const char *name);
/* The next of them; false at the end. */
bool example_next(struct str *rest, struct str *line);

command_function command_manual, command_completion, command_completion_words;
command_function command_init;
command_function command_start, command_stop, command_upgrade, command_status, command_check,
    command_reload, command_log_flush, command_log_level, command_log_show, command_report;
command_function command_stats;
command_function command_config_check, command_config_show, command_config_manual;
command_function command_user_add, command_user_list, command_user_show, command_user_delete,
    command_user_password, command_user_disable, command_user_enable, command_user_set;
command_function command_app_password_add, command_app_password_list, command_app_password_delete;
command_function command_group_add, command_group_set, command_group_delete, command_group_list,
    command_group_show, command_group_member_add, command_group_member_delete;
command_function command_directory_export, command_directory_import;
command_function command_auth_penalties, command_auth_unlock, command_auth_test;
command_function command_directory_show, command_directory_lookup;
command_function command_cache_show, command_cache_flush;
command_function command_domain_add, command_domain_set, command_domain_list, command_domain_show,
    command_domain_delete;
command_function command_address_add, command_address_set, command_address_list,
    command_address_show, command_address_delete;
command_function command_rule_add, command_rule_set, command_rule_move, command_rule_list,
    command_rule_show, command_rule_test, command_rule_delete;
command_function command_send_as_add, command_send_as_delete, command_send_as_list;
command_function command_queue_list, command_queue_show, command_queue_retry, command_queue_delete;
command_function command_queue_hold, command_queue_release, command_queue_requeue,
    command_queue_flush, command_queue_pause, command_queue_resume, command_queue_top,
    command_queue_stats;
command_function command_verify, command_address_explain;
command_function command_send_as_test;
command_function command_route_test, command_route_list, command_srs_rotate;
command_function command_tls_policy, command_tls_flush, command_tls_report, command_tls_send;
command_function command_trace, command_whoami, command_who, command_kick, command_limits,
    command_rawlog_on, command_rawlog_off, command_rawlog_list;
command_function command_mailbox_list, command_mailbox_status, command_mailbox_create,
    command_mailbox_delete, command_mailbox_rename, command_mailbox_subscribe,
    command_mailbox_unsubscribe, command_mailbox_path;
command_function command_mailbox_acl_list, command_mailbox_acl_set, command_mailbox_acl_delete;
command_function command_mailbox_undelete, command_mailbox_purge;
command_function command_store_check, command_store_rebuild, command_store_release,
    command_store_flush;
command_function command_search, command_fetch, command_expunge, command_move, command_copy;
command_function command_flags_add, command_flags_remove, command_flags_set;
command_function command_doctor, command_dns_records;
command_function command_sendmail;
command_function command_backup, command_restore, command_export, command_import;
command_function command_policy_test, command_policy_list, command_policy_checks;
command_function command_policy_limits, command_policy_greylist_list, command_policy_greylist_allow,
    command_policy_greylist_delete;
command_function command_quota_get, command_quota_set, command_quota_recalc;
