/*
 * Putting together what client_tls_policy.c asks, and what is told of its outcome.
 */
#include "smtp/client_security.h"

#include "core/mem.h"

#include <stdlib.h>

static void refuse_networks(struct client_security *s, const struct config *config)
{
    const struct mta_sts_settings *sts = config_block(config, &mta_sts_settings_block);
    http_client_refuse(s->http, &sts->refused_networks);
}

struct client_security *client_security_new(const struct config *config,
                                            const struct client_security_context *c,
                                            struct tls_context *tls)
{
    struct client_security *s = MEM_NEW(struct client_security);
    struct buf sts = BUF_EMPTY, report = BUF_EMPTY;
    buf_printf(&sts, "%s/mta-sts", c->data_dir);
    buf_printf(&report, "%s/tls-report.db", c->data_dir);
    s->dns = c->dns;
    s->tls = tls_context_ref(tls);
    s->http = http_client_new(c->loop, c->dns);
    refuse_networks(s, config);
    s->sts = mta_sts_new(config_block(config, &mta_sts_settings_block),
                         &(struct mta_sts_context){
                             .loop = c->loop, .dns = c->dns, .http = s->http, .dir = buf_c(&sts)},
                         tls);
    s->report = tls_report_new(config_block(config, &tls_report_settings_block),
                               &(struct tls_report_context){.loop = c->loop,
                                                            .dns = c->dns,
                                                            .http = s->http,
                                                            .queue = c->queue,
                                                            .hostname = c->hostname,
                                                            .path = buf_c(&report)},
                               tls);
    buf_free(&sts);
    buf_free(&report);
    return s;
}

SUSPENDS void client_security_start(struct client_security *s)
{
    mta_sts_start(s->sts);
    tls_report_start(s->report);
}

SUSPENDS void client_security_stop(struct client_security *s)
{
    tls_report_stop(s->report);
    mta_sts_stop(s->sts);
}

void client_security_free(struct client_security *s)
{
    if (!s)
        return;
    tls_report_free(s->report);
    mta_sts_free(s->sts);
    http_client_free(s->http);
    tls_context_unref(s->tls);
    free(s);
}

void client_security_reload(struct client_security *s, const struct config *config,
                            struct tls_context *tls)
{
    tls_context_unref(s->tls);
    s->tls = tls_context_ref(tls);
    refuse_networks(s, config);
    mta_sts_reload(s->sts, config_block(config, &mta_sts_settings_block), tls);
    tls_report_reload(s->report, config_block(config, &tls_report_settings_block), tls);
}
