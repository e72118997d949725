/*
 * Domains and addresses: the forms of the commands; the running server does the work.
 */
#include "ctl/mailctl.h"

#include <stdio.h>

/* --- domains --- */

/* "kind", "relay", "verify" from the options; false: they contradict each other, which was said. */
static bool take_options(const struct arguments *a, json_t *args, int *status)
{
    const char *relay = option(a, "--relay");
    bool local = option(a, "--local"), sink = option(a, "--sink");
    bool verify = option(a, "--verify"), no_verify = option(a, "--no-verify");
    if (local + sink + (relay != NULL) > 1 || (verify && no_verify)) {
        *status = fail_usage("a domain is one of --local, --relay and --sink");
        return false;
    }
    if (relay)
        json_object_set_new(args, "relay", json_string(relay));
    if (local || sink || relay)
        json_object_set_new(args, "kind", json_string(local ? "local" : sink ? "sink" : "relay"));
    if (verify || no_verify)
        json_object_set_new(args, "verify", json_boolean(verify));
    return true;
}

static int change_domain(struct mailctl *m, const struct arguments *a, const char *verb,
                         const char *what)
{
    int status = EXIT_OK;
    json_t *args = args_of("name", a->words[0], NULL, NULL);
    if (take_options(a, args, &status))
        return ask_simply(m, verb, args, what, a->words[0]);
    json_decref(args);
    return status;
}

int command_domain_add(struct mailctl *m, const struct arguments *a)
{
    return change_domain(m, a, "domain add", "added");
}

int command_domain_set(struct mailctl *m, const struct arguments *a)
{
    if (a->option_count == 0)
        return fail_usage("nothing to change");
    return change_domain(m, a, "domain set", "changed");
}

int command_domain_delete(struct mailctl *m, const struct arguments *a)
{
    return ask_simply(m, "domain delete", args_of("name", a->words[0], NULL, NULL), "deleted",
                      a->words[0]);
}

static const char *verified(const json_t *domain)
{
    return json_is_true(json_object_get(domain, "verify")) ? "asked" : "";
}

int command_domain_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"domain", "kind", "relay", "recipients", NULL};
    json_t *domains = NULL, *domain;
    size_t i;
    (void)a;
    int status = ask(m, "domain list", NULL, &domains);
    if (!domains)
        return status;
    struct table *t = table_new(titles);
    json_array_foreach(domains, i, domain)
    {
        table_add(t, text_of(domain, "name"));
        table_add(t, text_of(domain, "kind"));
        table_add(t, text_of(domain, "relay"));
        table_add(t, verified(domain));
    }
    table_print(t);
    json_decref(domains);
    return status;
}

int command_domain_show(struct mailctl *m, const struct arguments *a)
{
    json_t *domain = NULL;
    int status = ask(m, "domain show", args_of("name", a->words[0], NULL, NULL), &domain);
    if (!domain)
        return status;
    printf("domain  %s\nkind    %s\n", text_of(domain, "name"), text_of(domain, "kind"));
    if (*text_of(domain, "relay"))
        printf("relay   %s\nverify  %s\n", text_of(domain, "relay"),
               json_is_true(json_object_get(domain, "verify")) ? "yes" : "no");
    json_decref(domain);
    return status;
}

/* --- addresses --- */

int command_address_add(struct mailctl *m, const struct arguments *a)
{
    int status = EXIT_OK;
    for (size_t i = 1; i < a->count && status == EXIT_OK; i++) {
        json_t *args = args_of("address", a->words[0], "destination", a->words[i]);
        if (option(a, "--internal"))
            json_object_set_new(args, "internal", json_true());
        status = ask(m, "address add", args, NULL);
        if (status == EXIT_OK && !m->json)
            printf("%s leads to %s\n", a->words[0], a->words[i]);
    }
    return status;
}

int command_address_set(struct mailctl *m, const struct arguments *a)
{
    bool internal = option(a, "--internal"), public = option(a, "--public");
    if (internal == public)
        return fail_usage("say --internal or --public");
    json_t *args = args_of("address", a->words[0], NULL, NULL);
    json_object_set_new(args, "internal", json_boolean(internal));
    return ask_simply(m, "address set", args, "changed", a->words[0]);
}

int command_address_delete(struct mailctl *m, const struct arguments *a)
{
    return ask_simply(m, "address delete",
                      args_of("address", a->words[0], "destination", argument(a, 1)), "deleted",
                      a->words[0]);
}

int command_address_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"address", "leads to", "for", NULL};
    json_t *addresses = NULL, *address, *destination;
    size_t i, j;
    int status = ask(m, "address list", args_of("domain", argument(a, 0), NULL, NULL), &addresses);
    if (!addresses)
        return status;
    struct table *t = table_new(titles);
    json_array_foreach(addresses, i, address)
    {
        bool internal = json_is_true(json_object_get(address, "internal"));
        json_array_foreach(json_object_get(address, "destinations"), j, destination)
        {
            table_add(t, j == 0 ? text_of(address, "address") : "");
            table_add(t, json_string_value(destination));
            table_add(t, j > 0 ? "" : internal ? "internal" : "all");
        }
    }
    table_print(t);
    json_decref(addresses);
    return status;
}
