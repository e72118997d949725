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
    {"address", SETTING_STRING_LIST, offsetof(struct metrics_settings, address), "", 0, 0, NULL,
     "Where measurements can be read over HTTP, as /metrics for Prometheus and /health: "
     "\"127.0.0.1:9225\", \"[::1]:9225\", \"unix:/run/maild/metrics.sock\". Loopback addresses and "
     "Unix sockets only. Empty: nowhere. Needs a restart."},
    {0},
};
const struct settings_block metrics_settings_block = {
    .name = "metrics",
    .help = "Measurements of the server, for programs that watch it (docs/statistics.md).",
    .size = sizeof(struct metrics_settings),
    .settings = metrics_table,
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
    h->server = http_server_open(c->loop, &s->address, answer, h, e);
    if (h->server)
        return h;
    err_prefix(e, "metrics");
    free(h);
    return NULL;
}

void ctl_http_close(struct ctl_http *h)
{
    if (!h)
        return;
    http_server_close(h->server);
    free(h);
}
