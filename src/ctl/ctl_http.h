#pragma once
/*
 * Measurements and health over HTTP: GET /metrics, GET /health.
 */
#include "core/settings.h"
#include "ctl/ctl.h"

struct metrics_settings {
    struct string_list address; /* empty: none */
};
extern const struct settings_block metrics_settings_block; /* "metrics" */

struct ctl_http;

/* The context is copied. */
struct ctl_http *ctl_http_open(const struct ctl_context *c, const struct metrics_settings *s,
                               struct err *e);
/* NULL is allowed. */
void ctl_http_close(struct ctl_http *h);

/* Other addresses, as http_server_prepare, http_server_apply and http_server_forget. */
struct http_plan;
struct http_plan *ctl_http_prepare(struct ctl_http *h, const struct metrics_settings *s,
                                   struct err *e);
void ctl_http_apply(struct ctl_http *h, struct http_plan *plan);
void ctl_http_forget(struct ctl_http *h, struct http_plan *plan);
