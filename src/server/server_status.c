/*
 * What only the server as a whole knows of itself, for the control socket: who it is, since when,
 * and its certificates. Listeners tell of themselves (server_listen.c).
 */
#include "server/server.h"

#include "core/arena.h"
#include "ctl/ctl_json.h"
#include "net/tls_describe.h"

#define DAY        ((int64_t)24 * 3600)
#define LATE_MAX   (14 * DAY)
#define URGENT_MAX (3 * DAY)

/* Programs renew a certificate when a third of its life is left, a short-lived one at a half. So a
 * quarter is late and a twelfth is urgent, but never more than what a life of years allows; so says
 * the doctor, who asks for more time (mailctl/doctor_tls.c). That of a chain is of years. */
static void put_late(json_t *json, const struct tls_certificate *c, int64_t end)
{
    int64_t life = end < c->not_after ? INT64_MAX : end - c->not_before;
    int64_t late = life / 4 < LATE_MAX ? life / 4 : LATE_MAX;
    int64_t urgent = life / 12 < URGENT_MAX ? life / 12 : URGENT_MAX;
    json_object_set_new(json, "late_from", json_integer(end - late));
    json_object_set_new(json, "urgent_from", json_integer(end - urgent));
}

static json_t *certificate_json(const char *file, const struct tls_certificate *c)
{
    json_t *json = json_object(), *names = json_array();
    int64_t now = clock_wall() / USEC_SEC;
    int64_t end =
        c->chain_not_after && c->chain_not_after < c->not_after ? c->chain_not_after : c->not_after;
    for (size_t i = 0; i < c->name_count; i++)
        json_array_append_new(names, ctl_json_str(c->names[i]));
    json_object_set_new(json, "file", ctl_json_c(file));
    json_object_set_new(json, "names", names);
    json_object_set_new(json, "issuer", ctl_json_str(c->issuer));
    json_object_set_new(json, "self_signed", json_boolean(c->self_signed));
    json_object_set_new(json, "key_type", ctl_json_c(c->key_type));
    json_object_set_new(json, "key_bits", json_integer(c->key_bits));
    json_object_set_new(json, "not_before", json_integer(c->not_before));
    json_object_set_new(json, "not_after", json_integer(c->not_after));
    json_object_set_new(json, "expires", json_integer(end));
    put_late(json, c, end);
    json_object_set_new(json, "days_left",
                        json_integer(end > now ? (end - now) / 86400 : (end - now) / 86400 - 1));
    return json;
}

static void describe_certificates(const struct server *s, struct arena *a, json_t *status)
{
    struct tls_certificate certificate;
    json_t *list = json_array(), *shadowed = json_array();
    const char *text;
    for (size_t i = 0; s->tls_server && i < tls_context_count(s->tls_server); i++) {
        const char *file = tls_context_certificate_at(s->tls_server, i, a, &certificate);
        json_array_append_new(list, certificate_json(file, &certificate));
    }
    for (size_t i = 0; s->tls_server && (text = tls_context_shadowed_at(s->tls_server, i)); i++)
        json_array_append_new(shadowed, ctl_json_c(text));
    json_object_set_new(status, "certificates", list);
    json_object_set_new(status, "certificates_shadowed", shadowed);
    const char *error = server_certificates_error(s->certificates);
    if (error)
        json_object_set_new(status, "certificates_error", ctl_json_c(error));
}

void server_describe(const struct server *s, json_t *status)
{
    struct arena *a = arena_new();
    const struct server_settings *settings = config_block(s->config, &server_settings_block);
    json_object_set_new(status, "version", json_string(MAILD_VERSION));
    json_object_set_new(status, "hostname", json_string(server_hostname(settings, a)));
    json_object_set_new(status, "managed", json_boolean(service_manager_keeps(s->manager)));
    json_object_set_new(status, "config", json_string(s->config_path));
    json_object_set_new(status, "started", json_integer(s->started / USEC_SEC));
    json_object_set_new(status, "uptime", json_integer((clock_wall() - s->started) / USEC_SEC));
    server_describe_listeners(s, status);
    server_describe_restart(s, status);
    describe_certificates(s, a, status);
    arena_free(a);
}
