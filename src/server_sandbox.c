/*
 * What the server may do with files, from the moment its ports are open: write below the folders
 * that are its own, read the configuration, the files that it names and the system's (libraries,
 * resolver, time zones, certificates), and nothing else. Paths are those of the configuration at
 * the start, so a reload that names a file elsewhere fails for that file with "Permission denied".
 *
 * Libraries that would write elsewhere are told not to: Kerberos keeps what it has seen of tickets
 * in the server's own folder, SQLite its temporary files.
 */
#include "server.h"

#include "core/log.h"
#include "core/sandbox.h"

#include <stdlib.h>

/* The system's own. */
static const char *const system_paths[] = {"/etc",  "/usr", "/lib", "/lib64", "/lib32",
                                           "/proc", "/sys", "/dev", "/run"};
static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/tty"};
/* Files and folders that libraries are told of by the environment. */
static const char *const variables[] = {"KRB5_CONFIG",  "KRB5_KTNAME", "KRB5_CLIENT_KTNAME",
                                        "LDAPCONF",     "SASL_PATH",   "SSL_CERT_FILE",
                                        "SSL_CERT_DIR", "TZDIR",       "LD_LIBRARY_PATH"};

/* The search for leaks of AddressSanitizer. */
#ifdef __SANITIZE_ADDRESS__
#define TRACES_ITSELF true
#else
#define TRACES_ITSELF false
#endif

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

/* The folder of a file that is made anew or replaced. */
static void allow_folder_of(struct sandbox *x, struct arena *a, const char *path)
{
    ptrdiff_t slash = str_find_last_char(str_from_c(path), '/');
    if (slash > 0)
        sandbox_allow(x, arena_c(a, str_head(str_from_c(path), (size_t)slash)), SANDBOX_WRITE);
}

static void allow_text(struct sandbox *x, const char *text)
{
    if (text && text[0] == '/')
        sandbox_allow(x, text, SANDBOX_READ);
}

/* Of one block: whatever is a path. */
static void allow_values(struct sandbox *x, const struct settings_block *block, const void *values)
{
    for (const struct setting *s = block->settings; s->name; s++) {
        const char *at = (const char *)values + s->offset;
        if (s->type == SETTING_PATH || s->type == SETTING_STRING)
            allow_text(x, *(const char *const *)(const void *)at);
        if (s->type != SETTING_STRING_LIST)
            continue;
        const struct string_list *list = (const void *)at;
        for (size_t i = 0; i < list->count; i++)
            allow_text(x, list->items[i]);
    }
}

static void allow_config(struct sandbox *x, struct arena *a, const struct config *config,
                         const char *config_path)
{
    ptrdiff_t slash = str_find_last_char(str_from_c(config_path), '/');
    const char *folder =
        slash > 0 ? arena_c(a, str_head(str_from_c(config_path), (size_t)slash)) : ".";
    sandbox_allow(x, folder, SANDBOX_READ);
    for (size_t i = 0; server_blocks[i]; i++) {
        const struct settings_block *block = server_blocks[i];
        if (!block->named)
            allow_values(x, block, config_block(config, block));
        for (size_t n = 0; block->named && n < config_count(config, block); n++)
            allow_values(x, block, config_at(config, block, n));
    }
}

static void allow_system(struct sandbox *x)
{
    for (size_t i = 0; i < COUNT(system_paths); i++)
        sandbox_allow(x, system_paths[i], SANDBOX_READ);
    for (size_t i = 0; i < COUNT(devices); i++)
        sandbox_allow(x, devices[i], SANDBOX_WRITE);
    for (size_t i = 0; i < COUNT(variables); i++) {
        const char *value = getenv(variables[i]);
        if (value && strncmp(value, "FILE:", 5) == 0)
            value += 5;
        allow_text(x, value);
    }
    sandbox_allow(x, "/proc/self/exe", SANDBOX_READ); /* for the lines of a backtrace */
}

static void allow_own(const struct server *s, struct sandbox *x)
{
    const struct server_settings *set = s->settings;
    const struct directory_settings *directory = config_block(s->boot, &directory_settings_block);
    const struct store_settings *store = config_block(s->boot, &store_settings_block);
    const struct journal_file_settings *journal = config_block(s->boot, &journal_settings_block);
    const char *const files[] = {set->log,      set->log_actions, directory->path,
                                 journal->path, store->path,      set->control_socket};

    sandbox_allow(x, set->data_dir, SANDBOX_WRITE);
    sandbox_allow(x, set->run_dir, SANDBOX_WRITE);
    if (set->maildrop[0])
        sandbox_allow(x, set->maildrop, SANDBOX_WRITE);
    for (size_t i = 0; i < COUNT(files); i++)
        allow_folder_of(x, s->arena, files[i]);
    if (store->path[0]) /* it may be a mount, or a link to one */
        sandbox_allow(x, store->path, SANDBOX_WRITE);
    if (journal->path[0])
        sandbox_allow(x, journal->path, SANDBOX_WRITE);
    for (size_t i = 0; i < config_count(s->boot, &listener_settings_block); i++) {
        const struct listener_settings *l = config_at(s->boot, &listener_settings_block, i);
        for (size_t n = 0; n < l->address.count; n++)
            if (str_starts_with(str_from_c(l->address.items[n]), STR("unix:")))
                allow_folder_of(x, s->arena, l->address.items[n] + 5);
    }
    const struct metrics_settings *metrics = config_block(s->boot, &metrics_settings_block);
    for (size_t i = 0; i < metrics->address.count; i++)
        if (str_starts_with(str_from_c(metrics->address.items[i]), STR("unix:")))
            allow_folder_of(x, s->arena, metrics->address.items[i] + 5);
    for (size_t i = 0; i < set->sandbox_write.count; i++)
        sandbox_allow(x, set->sandbox_write.items[i], SANDBOX_WRITE);
}

static void tell_libraries(const struct server *s)
{
    setenv("KRB5RCACHEDIR", s->settings->data_dir, 0);
    setenv("SQLITE_TMPDIR", s->settings->data_dir, 0);
}

bool server_enter_sandbox(const struct server *s, struct err *e)
{
    struct sandbox_kind kind;
    if (!s->settings->core_dumps && !TRACES_ITSELF)
        sandbox_hide_memory();
    if (!s->settings->sandbox)
        return true;
    tell_libraries(s);
    struct sandbox *x = sandbox_new();
    allow_system(x);
    allow_config(x, s->arena, s->boot, s->config_path);
    allow_own(s, x);
    bool ok = sandbox_enter(x, !TRACES_ITSELF, &kind, e);
    sandbox_free(x);
    if (ok)
        log_info("maild", NULL, "sandbox: files=%s calls=%s", kind.files ? "confined" : "open",
                 kind.calls ? "confined" : "open");
    if (ok && !kind.files)
        log_warning("maild", NULL, "files are not confined: that needs Landlock of Linux 5.19");
    return ok;
}
