/*
 * mailctl route: the route table, and where a message would go.
 */
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <string.h>

static const char *joined(struct mailctl *m, const json_t *list)
{
    struct buf b = BUF_EMPTY;
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item)
        buf_printf(&b, "%s%s", i ? ", " : "", json_string_value(item));
    const char *text = arena_c(m->arena, buf_str(&b));
    buf_free(&b);
    return text;
}

/* "at most 3 connections, 100 messages in 60 s"; "" : no limit. */
static const char *pacing_text(struct mailctl *m, const json_t *json)
{
    long long connections = number_of(json, "connections_max"), rate = number_of(json, "rate");
    struct buf b = BUF_EMPTY;
    if (connections)
        buf_printf(&b, "at most %lld connection%s", connections, connections == 1 ? "" : "s");
    if (rate)
        buf_printf(&b, "%s%lld message%s in %lld s", b.n ? ", " : "", rate, rate == 1 ? "" : "s",
                   (long long)number_of(json, "rate_period"));
    const char *text = arena_c(m->arena, buf_str(&b));
    buf_free(&b);
    return text;
}

/* --- route list --- */

static const char *matches_text(struct mailctl *m, const json_t *rule)
{
    static const char *const names[] = {"recipient", "sender", "login"};
    struct buf b = BUF_EMPTY;
    for (size_t i = 0; i < 3; i++) {
        const char *text = joined(m, json_object_get(rule, names[i]));
        if (*text)
            buf_printf(&b, "%s%s %s", b.n ? "; " : "", names[i], text);
    }
    if (number_of(rule, "credentials"))
        buf_printf(&b, "%s%lld logins", b.n ? "; " : "", (long long)number_of(rule, "credentials"));
    const char *text = arena_c(m->arena, b.n ? buf_str(&b) : STR("all"));
    buf_free(&b);
    return text;
}

static const char *way_text(struct mailctl *m, const json_t *rule)
{
    const char *fallback = joined(m, json_object_get(rule, "fallback"));
    const char *user = text_of(rule, "user");
    if (strcmp(text_of(rule, "action"), "sink") == 0)
        return "dropped";
    return arena_printf(m->arena, "%s%s%s%s%s%s", joined(m, json_object_get(rule, "hosts")),
                        strcmp(text_of(rule, "protocol"), "lmtp") == 0 ? " (lmtp)" : "",
                        *fallback ? ", else " : "", fallback, *user ? " as " : "", user)
        .p;
}

int command_route_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"route", "mail", "goes to", "tls", "limits", NULL};
    json_t *rules = NULL;
    const json_t *r;
    size_t i;
    (void)a;
    int status = ask(m, "route list", NULL, &rules);
    if (!rules)
        return status;
    struct table *t = table_new(titles);
    json_array_foreach(rules, i, r)
    {
        table_add(t, text_of(r, "route"));
        table_add(t, matches_text(m, r));
        table_add(t, way_text(m, r));
        table_add(t, strcmp(text_of(r, "action"), "sink") == 0 ? "" : text_of(r, "tls"));
        table_add(t, pacing_text(m, r));
    }
    table_end(t, true, "there are no routes");
    json_decref(rules);
    return status;
}

/* --- route test --- */

static void print_steps(const json_t *way)
{
    static const char *const titles[] = {"", "step", "why", NULL};
    struct table *t = table_new(titles);
    const json_t *s;
    size_t i;
    json_array_foreach(json_object_get(way, "steps"), i, s)
    {
        table_add(t, json_is_true(json_object_get(s, "decides")) ? "*" : "");
        table_add(t, text_of(s, "step"));
        table_add(t, text_of(s, "why"));
    }
    table_print(t);
}

static void print_host(const json_t *h)
{
    const char *name = text_of(h, "name"), *address = text_of(h, "address");
    const json_t *preference = json_object_get(h, "preference");
    printf("  %s", name);
    if (*address && strcmp(name, address) != 0)
        printf(" [%s]", address);
    if (number_of(h, "port"))
        printf(" port %lld", (long long)number_of(h, "port"));
    if (json_is_integer(preference))
        printf(" (MX %lld)", (long long)json_integer_value(preference));
    if (json_is_true(json_object_get(h, "fallback")))
        printf(" (fallback)");
    if (*text_of(h, "problem"))
        printf(": %s", text_of(h, "problem"));
    putchar('\n');
}

static void print_line(const char *name, const char *value)
{
    if (*value)
        printf("%-11s %s\n", name, value);
}

static void print_hop(struct mailctl *m, const json_t *way)
{
    const json_t *h;
    size_t i;
    printf("hosts, over %s:\n", text_of(way, "protocol"));
    json_array_foreach(json_object_get(way, "hosts"), i, h) print_host(h);
    print_line("sender", text_of(way, "sender"));
    print_line("tls", text_of(way, "tls"));
    print_line("login", text_of(way, "user"));
    print_line("mechanisms", text_of(way, "mechanisms"));
    print_line("from", text_of(way, "source_ipv4"));
    print_line("from", text_of(way, "source_ipv6"));
    print_line("helo", text_of(way, "helo"));
    print_line("limits", pacing_text(m, way));
}

static void print_way(struct mailctl *m, const json_t *way)
{
    const char *outcome = text_of(way, "outcome"), *route = text_of(way, "route");
    const char *recipient = text_of(way, "recipient");
    print_steps(way);
    if (strcmp(outcome, "here") == 0) {
        printf("%s is delivered here\n", recipient);
    } else if (strcmp(outcome, "dropped") == 0) {
        printf("%s is accepted and dropped\n", recipient);
    } else if (strcmp(outcome, "refused") == 0) {
        printf("%s goes nowhere: %s\n", recipient, text_of(way, "text"));
    } else {
        printf("%s is sent%s%s\n", recipient, *route ? " by route " : "", route);
        print_hop(m, way);
    }
}

int command_route_test(struct mailctl *m, const struct arguments *a)
{
    json_t *args = args_of("from", a->words[0], "to", a->words[1]), *ways = NULL;
    const json_t *way;
    size_t i;
    if (option(a, "--login"))
        json_object_set_new(args, "login", json_string(option(a, "--login")));
    int status = ask(m, "route test", args, &ways);
    json_array_foreach(ways, i, way)
    {
        if (i > 0)
            putchar('\n');
        print_way(m, way);
    }
    json_decref(ways);
    return status;
}
