/*
 * Where the log goes, from the settings: log_to names the targets, each once, with the path of a
 * socket behind a colon if it is not the system's. Without it: the file, or else standard error.
 */
#include "ctl/server_settings.h"

#include "core/log.h"

#include <string.h>

static const char *const kind_names[LOG_KINDS] = {"file", "stderr", "syslog", "journal"};

/* "syslog", "syslog:/path" */
static bool read_target(const struct server_settings *s, const char *item, struct log_target *t,
                        struct err *e)
{
    struct str name = str_head(str_from_c(item), strcspn(item, ":"));
    const char *path = item[name.n] ? item + name.n + 1 : NULL;
    for (int k = 0; k < LOG_KINDS; k++) {
        if (!str_equal(name, str_from_c(kind_names[k])))
            continue;
        *t = (struct log_target){(enum log_kind)k, k == LOG_KIND_FILE ? s->log : path};
        if (path && (k < LOG_KIND_SYSLOG || path[0] != '/'))
            return err_set(e, ERR_SYNTAX,
                           "log_to: \"%s\": the absolute path of a socket may follow, of syslog "
                           "and journal only",
                           item);
        return k != LOG_KIND_FILE || s->log[0] ||
               err_set(e, ERR_SYNTAX, "log_to: \"file\" needs the setting log");
    }
    return err_set(e, ERR_SYNTAX, "log_to: \"%s\" is none of file, stderr, syslog, journal", item);
}

bool server_log_targets(const struct server_settings *s, struct log_target *list, size_t *count,
                        struct err *e)
{
    *count = 0;
    if (s->log_to.count > LOG_KINDS)
        return err_set(e, ERR_SYNTAX, "log_to: each target only once");
    for (size_t i = 0; i < s->log_to.count; i++) {
        struct log_target *t = &list[*count];
        if (!read_target(s, s->log_to.items[i], t, e))
            return false;
        for (size_t before = 0; before < *count; before++)
            if (list[before].kind == t->kind)
                return err_set(e, ERR_SYNTAX, "log_to: each target only once");
        ++*count;
    }
    if (*count == 0)
        list[(*count)++] = s->log[0] ? (struct log_target){LOG_KIND_FILE, s->log}
                                     : (struct log_target){LOG_KIND_STDERR, NULL};
    return true;
}

struct log_change *server_prepare_log(const struct server_settings *s, struct err *e)
{
    struct log_target list[LOG_KINDS];
    size_t count;
    if (!server_log_targets(s, list, &count, e))
        return NULL;
    return log_prepare(list, count, (enum log_level)s->log_level, s->log_actions, e);
}
