/*
 * The pages of the small HTTP server. Nobody is asked for a password: who can connect to a loopback
 * address or the socket may read numbers, and there is nothing else here, no name and no address of
 * anybody.
 */
#include "ctl/ctl_http.h"

#include "core/mem.h"
#include "ctl/ctl_metrics.h"
#include "net/http_server.h"

#include <stddef.h>
#include <stdlib.h>

static const struct setting metrics_table[] = {
    {"address", SETTING_SOCKETS, offsetof(struct metrics_settings, address), "", 0, 0, NULL,
     "Where measurements can be read over HTTP, as /metrics for Prometheus and /health: "
     "\"127.0.0.1:9225\", \"[::1]:9225\", \"unix:/run/maild/metrics.sock\". Loopback addresses and "
     "Unix sockets only. Empty: nowhere."},
    {0},
};

static bool check_metrics(const void *values, struct err *e)
{
    const struct metrics_settings *s = values;
    for (size_t i = 0; i < s->address.count; i++)
        if (!http_server_allows(s->address.items[i], e))
            return err_prefix(e, "address");
    return true;
}

const struct settings_block metrics_settings_block = {
    .name = "metrics",
    .help = "Measurements of the server, for programs that watch it (docs/statistics.md).",
    .size = sizeof(struct metrics_settings),
    .settings = metrics_table,
    .check = check_metrics,
};

struct ctl_http {
    struct ctl_context context;
    struct http_server *server;
};

static bool answer(void *arg, const char *path, struct http_answer *a)
{
    const struct ctl_http *h = arg;
    if (strcmp(path, "/metrics") == 0) {
        a->type = "text/plain; version=0.0.4; charset=utf-8";
        ctl_metrics_write(&h->context, &a->body);
        return true;
    }
    if (strcmp(path, "/health") != 0)
        return false;
    if (ctl_is_healthy(&h->context, &a->body))
        buf_add_c(&a->body, "ok\n");
    else
        a->status = 503;
    return true;
}

struct ctl_http *ctl_http_open(const struct ctl_context *c, const struct metrics_settings *s,
                               struct err *e)
{
    struct ctl_http *h = MEM_NEW(struct ctl_http);
    h->context = *c;
    h->server = http_server_new(c->loop, answer, h, e);
    struct http_plan *plan = h->server ? ctl_http_prepare(h, s, e) : NULL;
    if (plan) {
        ctl_http_apply(h, plan);
        return h;
    }
    ctl_http_close(h);
    return NULL;
}

void ctl_http_close(struct ctl_http *h)
{
    if (!h)
        return;
    http_server_free(h->server);
    free(h);
}

struct http_plan *ctl_http_prepare(struct ctl_http *h, const struct metrics_settings *s,
                                   struct err *e)
{
    struct http_plan *plan = http_server_prepare(h->server, &s->address, e);
    if (!plan)
        err_prefix(e, "metrics");
    return plan;
}

void ctl_http_apply(struct ctl_http *h, struct http_plan *plan)
{
    http_server_apply(h->server, plan);
}

void ctl_http_forget(struct ctl_http *h, struct http_plan *plan)
{
    http_server_forget(h->server, plan);
}
