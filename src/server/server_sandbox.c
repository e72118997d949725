/*
 * What the server may do with files, from the moment its ports are open: write below the folders
 * that are its own, and nowhere else. It may read what its user may: a reload can name a
 * certificate, a table or a keytab anywhere, and what it must not see is kept from it by the
 * permissions of files, as from every other program.
 *
 * Libraries that would write elsewhere are told not to: Kerberos keeps what it has seen of tickets
 * in the server's own folder, SQLite its temporary files.
 */
#include "server/server.h"

#include "core/log.h"
#include "core/sandbox.h"

#include <stdlib.h>

/* Written to as well. */
static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/tty"};
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
    const struct trace_settings *trace = config_block(s->boot, &trace_settings_block);
    allow_folder_of(x, s->arena, trace->path);
    if (trace->path[0])
        sandbox_allow(x, trace->path, SANDBOX_WRITE);
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
        return sandbox_renounce_rights(e);
    tell_libraries(s);
    struct sandbox *x = sandbox_new();
    sandbox_allow(x, "/", SANDBOX_READ);
    for (size_t i = 0; i < COUNT(devices); i++)
        sandbox_allow(x, devices[i], SANDBOX_WRITE);
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
