/*
 * mailctl tls: what TLS with the servers of a domain has to be like, and what came of it.
 */
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <string.h>

/* --- tls policy --- */

static void print_time(const char *what, int64_t seconds)
{
    struct buf b = BUF_EMPTY;
    add_time(&b, seconds);
    printf("%s%s", what, buf_c(&b));
    buf_free(&b);
}

static void print_sts(const json_t *sts)
{
    const json_t *host;
    size_t i;
    printf("MTA-STS  %s\n", text_of(sts, "dns"));
    if (is_true(sts, "found")) {
        printf("         policy %s, mode %s", text_of(sts, "id"), text_of(sts, "mode"));
        print_time(", fetched ", number_of(sts, "fetched"));
        print_time(", expires ", number_of(sts, "expires"));
        printf("\n");
        json_array_foreach(json_object_get(sts, "mx"), i, host)
            printf("         mx %s\n", json_string_value(host));
    }
    if (*text_of(sts, "problem"))
        printf("         the newest policy cannot be had: %s\n", text_of(sts, "problem"));
}

static const char *meaning(const json_t *host)
{
    static const struct {
        const char *policy, *text;
    } meanings[] = {
        {"none", "no TLS"},
        {"opportunistic", "TLS if it is offered, whoever answers; else plain text"},
        {"encrypt", "TLS required, whoever answers"},
        {"verify", "TLS required, the certificate must name the host"},
        {"sts", "TLS required, the certificate must name the host"},
        {"dane", "TLS required, a TLSA record must fit the certificate"},
    };
    for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
        if (strcmp(text_of(host, "policy"), meanings[i].policy) == 0)
            return meanings[i].text;
    return "";
}

static void print_host(const json_t *h)
{
    const json_t *r;
    size_t i;
    printf("\n%s port %lld\n", text_of(h, "name"), (long long)number_of(h, "port"));
    printf("  name     %s\n",
           is_true(h, "signed") ? "certain" : "not certain: the MX records are not signed");
    printf("  DANE     %s%s%s\n", text_of(h, "dane"), *text_of(h, "dane_name") ? " at " : "",
           text_of(h, "dane_name"));
    json_array_foreach(json_object_get(h, "records"), i, r)
        printf("           %s%s\n", text_of(r, "record"),
               is_true(r, "usable") ? "" : " (of no use for mail)");
    if (is_true(h, "usable"))
        printf("  policy   %s: %s\n", text_of(h, "policy"), meaning(h));
    else
        printf("  policy   not used: %s\n", text_of(h, "problem"));
    if (*text_of(h, "why"))
        printf("  why      %s\n", text_of(h, "why"));
}

int command_tls_policy(struct mailctl *m, const struct arguments *a)
{
    json_t *x = NULL, *args = args_of("domain", a->words[0], NULL, NULL);
    const json_t *host;
    size_t i;
    json_object_set_new(args, "refresh", json_boolean(option(a, "--refresh")));
    int status = ask(m, "tls policy", args, &x);
    if (!x)
        return status;
    printf("domain   %s\n", text_of(x, "domain"));
    if (strcmp(text_of(x, "outcome"), "sent") != 0) {
        printf("route    %s: %s\n", text_of(x, "outcome"), text_of(x, "text"));
    } else {
        printf("route    %s, tls = %s\n", *text_of(x, "route") ? text_of(x, "route") : "none",
               text_of(x, "tls"));
        if (is_true(x, "by_mx")) {
            printf("MX       %s%s\n", is_true(x, "mx_signed") ? "signed (DNSSEC)" : "not signed",
                   is_true(x, "validates") ? "" : " (dns.trust_anchor is not set: nothing can be)");
            print_sts(json_object_get(x, "sts"));
        } else {
            printf("MX       not asked: the hosts are fixed here\n");
        }
        json_array_foreach(json_object_get(x, "hosts"), i, host) print_host(host);
    }
    json_decref(x);
    return status;
}

int command_tls_flush(struct mailctl *m, const struct arguments *a)
{
    bool all = option(a, "--all");
    json_t *result = NULL;
    if (all == (a->count > 0))
        return fail_usage("tls flush needs a domain or --all");
    json_t *args = args_of("domain", argument(a, 0), NULL, NULL);
    json_object_set_new(args, "all", json_boolean(all));
    int status = ask(m, "tls flush", args, &result);
    long long forgotten = result ? number_of(result, "forgotten") : 0;
    if (result)
        printf("forgot %lld %s\n", forgotten, forgotten == 1 ? "policy" : "policies");
    json_decref(result);
    return status;
}

/* --- tls report --- */

int command_tls_report(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"domain", "policy", "result", ">count",
                                         "host",   "reason", NULL};
    json_t *rows = NULL;
    const json_t *r;
    size_t i;
    int status = ask(m, "tls report",
                     args_of("day", argument(a, 0), "domain", option(a, "--domain")), &rows);
    if (!rows)
        return status;
    struct table *t = table_new(titles);
    json_array_foreach(rows, i, r)
    {
        const char *address = text_of(r, "address");
        table_add(t, text_of(r, "domain"));
        table_add(t, text_of(r, "policy"));
        table_add(t, text_of(r, "result"));
        table_printf(t, "%lld", (long long)number_of(r, "count"));
        table_printf(t, "%s%s%s%s", text_of(r, "host"), *address ? "[" : "", address,
                     *address ? "]" : "");
        table_add(t, text_of(r, "reason"));
    }
    table_end(t, true, "no attempt is recorded");
    json_decref(rows);
    return status;
}

int command_tls_send(struct mailctl *m, const struct arguments *a)
{
    json_t *result = NULL;
    (void)a;
    int status = ask(m, "tls send", NULL, &result);
    if (!result)
        return status;
    printf("sent %lld, failed %lld\n", (long long)number_of(result, "sent"),
           (long long)number_of(result, "failed"));
    bool failed = number_of(result, "failed") > 0;
    json_decref(result);
    return failed ? EXIT_FAILED : status;
}
