/*
 * config check, show and manual: the configuration without a running server.
 */
#include "ctl/server_settings.h"
#include "mailctl/mailctl.h"
#include "net/tls.h"
#include "policy/policy.h"
#include "queue/rules.h"

#include <stdio.h>
#include <string.h>

bool config_is_correct(struct mailctl *m, struct err *e)
{
    if (!mailctl_settings(m, e))
        return false;
    const struct tls_settings *tls = config_block(m->config, &tls_settings_block);
    if (tls->certificate.count > 0) {
        struct tls_context *context = tls_server_context_of(m->config, e);
        const char *text;
        if (!context)
            return false;
        for (size_t i = 0; (text = tls_context_shadowed_at(context, i)); i++)
            fprintf(stderr, "mailctl: warning: %s\n", text);
        tls_context_unref(context);
    }
    return policy_check_tables(m->config, e) && queue_rules_check(m->config, e);
}

int command_config_check(struct mailctl *m, const struct arguments *a)
{
    struct err e;
    (void)a;
    if (!config_is_correct(m, &e))
        return fail_error(&e);
    if (!m->json)
        printf("%s is correct\n", m->config_path);
    return EXIT_OK;
}

static void add_entry(void *arg, const struct config_entry *entry)
{
    json_t *list = arg, *json = json_object();
    json_object_set_new(json, "block", json_string(entry->block->name));
    if (entry->block_name)
        json_object_set_new(json, "block_name", json_string(entry->block_name));
    json_object_set_new(json, "setting", json_string(entry->setting->name));
    json_object_set_new(json, "value", json_stringn(entry->value.p, entry->value.n));
    json_object_set_new(json, "default", json_boolean(entry->is_default));
    json_array_append_new(list, json);
}

int command_config_show(struct mailctl *m, const struct arguments *a)
{
    struct err e;
    (void)a;
    if (!mailctl_settings(m, &e))
        return fail_error(&e);
    if (m->json) {
        json_t *list = json_array();
        config_each(m->config, add_entry, list);
        print_json(list);
        json_decref(list);
        return EXIT_OK;
    }
    struct buf b = BUF_EMPTY;
    config_show(m->config, &b);
    fwrite(b.p, 1, b.n, stdout);
    buf_free(&b);
    return EXIT_OK;
}

int command_config_manual(struct mailctl *m, const struct arguments *a)
{
    struct buf b = BUF_EMPTY;
    config_manual(server_blocks, option(a, "--roff") != NULL, &b);
    print_page(m, buf_str(&b));
    buf_free(&b);
    return EXIT_OK;
}
