/*
 * What the access policy remembers: counters of rules, and the greylist.
 */
#include "mailctl/mailctl.h"

#include <stdio.h>

/* --- policy limits --- */

static void print_limit(const json_t *rule)
{
    static const char *const titles[] = {"", ">now", ">limit", NULL};
    const json_t *keys = json_object_get(rule, "keys"), *key;
    struct buf within = BUF_EMPTY;
    size_t i;
    if (number_of(rule, "period") > 0) {
        buf_add_c(&within, " within ");
        add_duration(&within, number_of(rule, "period"));
    } else {
        buf_add_c(&within, " at a time");
    }
    printf("%s (%s): %lld %s%s", text_of(rule, "rule"), text_of(rule, "check"),
           (long long)number_of(rule, "limit"), text_of(rule, "unit"), buf_c(&within));
    if (number_of(rule, "known") > (int64_t)json_array_size(keys))
        printf(", %lld known", (long long)number_of(rule, "known"));
    printf("\n");
    buf_free(&within);
    if (json_array_size(keys) == 0)
        return;
    struct table *t = table_new(titles);
    json_array_foreach(keys, i, key)
    {
        table_add(t, text_of(key, "key"));
        table_printf(t, "%lld", (long long)number_of(key, "count"));
        table_printf(t, "%lld", (long long)number_of(rule, "limit"));
    }
    table_print(t);
}

static void print_greylist(const json_t *g)
{
    printf("greylist: %lld in memory", (long long)number_of(g, "in_memory"));
    if (number_of(g, "triplets") >= 0)
        printf(", %lld in the database, %lld clients", (long long)number_of(g, "triplets"),
               (long long)number_of(g, "clients"));
    if (text_of(g, "error")[0])
        printf("; its database fails: %s", text_of(g, "error"));
    printf("\n");
}

int command_policy_limits(struct mailctl *m, const struct arguments *a)
{
    json_t *result = NULL, *x;
    size_t i;
    (void)a;
    int status = ask(m, "policy limits", NULL, &result);
    if (result) {
        const json_t *rules = json_object_get(result, "rules");
        const json_t *silent = json_object_get(result, "silent_lists");
        json_array_foreach(rules, i, x) print_limit(x);
        json_array_foreach(silent, i, x)
            printf("the list %s does not answer and is left out for %lld s\n", text_of(x, "zone"),
                   (long long)number_of(x, "seconds"));
        if (json_object_get(result, "greylist"))
            print_greylist(json_object_get(result, "greylist"));
        else if (json_array_size(rules) == 0 && json_array_size(silent) == 0)
            printf("no rule counts anything\n");
    }
    json_decref(result);
    return status;
}

/* --- policy greylist --- */

struct listing {
    struct table *clients, *triplets;
    size_t client_count, triplet_count;
};

static void add_client(struct listing *l, const json_t *item)
{
    bool by_hand = json_is_true(json_object_get(item, "by_hand"));
    table_add(l->clients, text_of(item, "client"));
    table_printf(l->clients, "%lld", (long long)number_of(item, "good"));
    table_add_time(l->clients, number_of(item, "last"));
    if (by_hand)
        table_add(l->clients, "allowed by hand");
    else
        table_add_time(l->clients, number_of(item, "expires"));
    l->client_count++;
}

static void add_item(void *arg, const json_t *item)
{
    struct listing *l = arg;
    if (json_object_get(item, "client")) {
        add_client(l, item);
        return;
    }
    table_add(l->triplets, text_of(item, "network"));
    table_add(l->triplets, text_of(item, "sender")[0] ? text_of(item, "sender") : "<>");
    table_add(l->triplets, text_of(item, "recipient"));
    table_add_time(l->triplets, number_of(item, "first"));
    if (number_of(item, "passed") > 0)
        table_printf(l->triplets, "%lld", (long long)number_of(item, "passed"));
    else
        table_add(l->triplets, "waits");
    table_add_time(l->triplets, number_of(item, "expires"));
    l->triplet_count++;
}

int command_policy_greylist_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const client_titles[] = {"client", ">came again", "last", "until", NULL};
    static const char *const triplet_titles[] = {"client",  "sender", "recipient", "first seen",
                                                 ">passed", "until",  NULL};
    struct listing l = {table_new(client_titles), table_new(triplet_titles), 0, 0};
    json_t *args = args_of("text", argument(a, 0), NULL, NULL);
    int status = ask_items(m, "policy greylist list", args, add_item, &l, NULL);
    bool print = status == EXIT_OK && !m->json;
    table_end(l.clients, print && l.client_count > 0, NULL);
    if (print && l.client_count > 0 && l.triplet_count > 0)
        printf("\n");
    table_end(l.triplets, print && (l.triplet_count > 0 || l.client_count == 0),
              argument(a, 0) ? "the greylist knows nothing of it"
                             : "the greylist knows nothing yet");
    return status;
}

int command_policy_greylist_allow(struct mailctl *m, const struct arguments *a)
{
    return ask_simply(m, "policy greylist allow", args_of("client", argument(a, 0), NULL, NULL),
                      "allowed", argument(a, 0));
}

int command_policy_greylist_delete(struct mailctl *m, const struct arguments *a)
{
    json_t *result = NULL;
    int status =
        ask(m, "policy greylist delete", args_of("text", argument(a, 0), NULL, NULL), &result);
    if (result)
        printf("deleted %lld entries of %s\n", (long long)number_of(result, "deleted"),
               argument(a, 0));
    json_decref(result);
    return status;
}
