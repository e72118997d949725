/*
 * What all commands use: words and options that were given, and the configuration, read when it is
 * needed first.
 */
#include "mailctl/mailctl.h"

#include "core/disk.h"
#include "ctl/server_settings.h"

#include <string.h>

const char *argument(const struct arguments *a, size_t i)
{
    return i < a->count ? a->words[i] : NULL;
}

const char *option(const struct arguments *a, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < a->option_count; i++)
        if (strcmp(a->options[i].name, name) == 0)
            value = a->options[i].value;
    return value;
}

json_t *option_list(const struct arguments *a, const char *name)
{
    json_t *list = json_array();
    for (size_t i = 0; i < a->option_count; i++)
        if (strcmp(a->options[i].name, name) == 0)
            json_array_append_new(list, json_string(a->options[i].value));
    return list;
}

bool mailctl_settings(struct mailctl *m, struct err *e)
{
    struct stat st;
    if (!m->config)
        m->config = server_read_config(m->config_path, e);
    if (!m->config && e && e->kind == ERR_NOT_FOUND && !disk_stat(m->config_path, &st, NULL))
        err_set(e, ERR_NOT_FOUND,
                "there is no configuration: %s; mailctl init makes one, --config or --root names "
                "another",
                m->config_path);
    if (m->config)
        m->settings = config_block(m->config, &server_settings_block);
    return m->config != NULL;
}
