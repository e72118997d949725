/*
 * The access policy: the forms of the commands.
 */
#include "policy/policy.h"
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <string.h>

/* --- policy test --- */

/* "reject: 550 5.7.1 text", "tag: X-Listed: yes", "accept". */
static void add_outcome(struct buf *b, const json_t *finding)
{
    const char *action = text_of(finding, "action");
    if (is_true(finding, "dry_run"))
        buf_add_c(b, "(dry run) ");
    if (number_of(finding, "code") > 0)
        buf_printf(b, "%s: %lld %s %s", action, (long long)number_of(finding, "code"),
                   text_of(finding, "enhanced"), text_of(finding, "text"));
    else
        buf_printf(b, "%s%s%s", action, text_of(finding, "text")[0] ? ": " : "",
                   text_of(finding, "text"));
}

static void print_findings(const json_t *findings)
{
    static const char *const titles[] = {"", "rule", "check", "at", "result", "why", NULL};
    struct table *t = table_new(titles);
    const json_t *f;
    size_t i;
    json_array_foreach(findings, i, f)
    {
        table_add(t, is_true(f, "decides") ? "*" : is_true(f, "reached") ? "" : "-");
        table_add(t, text_of(f, "rule"));
        table_add(t, text_of(f, "check"));
        table_add(t, text_of(f, "stage"));
        table_add(t, text_of(f, "result"));
        table_add(t, text_of(f, "why"));
    }
    table_print(t);
}

/* What the session would come to. Rules that only try are shown as well. */
static void print_outcome(const json_t *result)
{
    const json_t *findings = json_object_get(result, "findings"), *f;
    struct buf b = BUF_EMPTY;
    bool refused = false;
    size_t i;
    if (is_true(result, "may_relay"))
        printf("The client may send to other servers without a login.\n");
    else if (is_true(result, "trusted"))
        printf("The client belongs to a trusted network.\n");
    json_array_foreach(findings, i, f)
    {
        if (!text_of(f, "action")[0] || !is_true(f, "reached"))
            continue;
        buf_clear(&b);
        add_outcome(&b, f);
        printf("%s %s: %s\n", is_true(f, "decides") ? "*" : " ", text_of(f, "rule"), buf_c(&b));
        refused = refused || (is_true(f, "decides") && strcmp(text_of(f, "action"), "accept") != 0);
    }
    if (!refused)
        printf("No rule refuses it.\n");
    buf_free(&b);
}

int command_policy_test(struct mailctl *m, const struct arguments *a)
{
    static const char *const names[] = {"client", "helo",  "from",     "to",
                                        "name",   "login", "protocol", "header-from"};
    json_t *args = json_object(), *result = NULL;
    if (!option(a, "--client")) {
        json_decref(args);
        return fail_usage("--client is needed");
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = option(a, arena_printf(m->arena, "--%s", names[i]).p);
        if (value)
            json_object_set_new(args, names[i], json_string(value));
    }
    int status = ask(m, "policy test", args, &result);
    if (result) {
        print_findings(json_object_get(result, "findings"));
        print_outcome(result);
    }
    json_decref(result);
    return status;
}

/* --- policy list --- */

static void print_rules(const json_t *rules)
{
    static const char *const titles[] = {"rule",   "check",    "at", "action",
                                         ">asked", ">matched", "",   NULL};
    struct table *t = table_new(titles);
    const json_t *r;
    size_t i;
    json_array_foreach(rules, i, r)
    {
        table_add(t, text_of(r, "rule"));
        table_add(t, text_of(r, "check"));
        table_add(t, text_of(r, "stage"));
        table_add(t, text_of(r, "action"));
        table_printf(t, "%lld", (long long)number_of(r, "asked"));
        table_printf(t, "%lld", (long long)number_of(r, "matched"));
        table_add(t, !json_is_true(json_object_get(r, "enabled"))  ? "not enabled"
                     : json_is_true(json_object_get(r, "dry_run")) ? "dry run"
                                                                   : "");
    }
    table_end(t, true, "there are no rules");
}

static void print_tables(const json_t *tables)
{
    static const char *const titles[] = {"table", "type", ">entries", "read", "path", "", NULL};
    struct table *t = table_new(titles);
    const json_t *x;
    size_t i;
    json_array_foreach(tables, i, x)
    {
        table_add(t, text_of(x, "table"));
        table_add(t, text_of(x, "type"));
        table_printf(t, "%lld", (long long)number_of(x, "entries"));
        if (number_of(x, "loaded") > 0)
            table_add_time(t, number_of(x, "loaded"));
        else
            table_add(t, "never");
        table_add(t, text_of(x, "path"));
        table_add(t, text_of(x, "error"));
    }
    table_print(t);
}

int command_policy_list(struct mailctl *m, const struct arguments *a)
{
    json_t *result = NULL;
    (void)a;
    int status = ask(m, "policy list", NULL, &result);
    if (result) {
        print_rules(json_object_get(result, "rules"));
        if (json_array_size(json_object_get(result, "tables")) > 0) {
            printf("\n");
            print_tables(json_object_get(result, "tables"));
        }
    }
    json_decref(result);
    return status;
}

/* --- policy checks --- */

int command_policy_checks(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"check", "at", "action", "settings", "matches when", NULL};
    struct policy_check_info *list;
    size_t count;
    (void)a;
    policy_list_checks(m->arena, &list, &count);
    json_t *json = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(json,
                              json_pack("{s:s, s:s, s:s, s:s, s:s}", "check", list[i].name, "stage",
                                        policy_stage_name(list[i].at), "action", list[i].action,
                                        "settings", list[i].settings, "help", list[i].help));
    if (m->json) {
        print_json(json);
    } else {
        struct table *t = table_new(titles);
        for (size_t i = 0; i < count; i++) {
            table_add(t, list[i].name);
            table_add(t, policy_stage_name(list[i].at));
            table_add(t, list[i].action);
            table_add(t, list[i].settings);
            table_add(t, list[i].help);
        }
        table_print(t);
        printf("\nSettings with a * must be set.\n");
    }
    json_decref(json);
    return EXIT_OK;
}
