/*
 * Listeners and what they do with a connection: hand it to its protocol, with the service that is
 * in force at that moment. Connections that arrive while the server still opens its journal and
 * mailboxes wait; ports below 1024 must be opened before root's rights are given up, and senders
 * that find the port open wait a little more gladly than they come back.
 *
 * A reload makes a plan: entries whose address stays, which keep their socket and get a new
 * service, and new ones, whose sockets are opened while those that will go are still there, because
 * the new ones may not be to be had. Who is connected to an address that goes, and was not accepted
 * yet, still is.
 */
#include "server/server.h"

#include "core/log.h"
#include "core/mem.h"
#include "net/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define PENDING_MAX 1024

struct server_listener {
    struct server_listener *next;
    struct server *server;
    struct listener *listener; /* NULL: one of a plan whose socket is another's, or not open yet */
    bool begun;                /* accepts connections */
    const char *address;       /* in the service's configuration */
    mode_t mode;
    struct service *service;
};

struct pending_stream {
    struct pending_stream *next;
    struct server_listener *listener;
    struct stream *stream;
};

static void dispatch(struct server *s, struct service *service, struct stream *stream)
{
    switch ((enum service_protocol)service->listener->protocol) {
    case SERVICE_SMTP:
    case SERVICE_SUBMISSION:
    case SERVICE_LMTP:
        smtp_accept(&s->smtp, service_ref(service), stream);
        return;
    case SERVICE_IMAP:
        imap_accept(&s->imap, service_ref(service), stream);
        return;
    case SERVICE_POP3:
        pop3_accept(&s->pop3, service_ref(service), stream);
        return;
    case SERVICE_HTTP:
        http_accept(&s->web, service_ref(service), stream);
        return;
    }
}

static void keep_pending(struct server_listener *l, struct stream *stream)
{
    size_t count = 0;
    struct pending_stream **end = &l->server->pending;
    for (; *end; end = &(*end)->next)
        count++;
    if (count >= PENDING_MAX) {
        stream_close(stream);
        return;
    }
    *end = MEM_NEW(struct pending_stream);
    **end = (struct pending_stream){.listener = l, .stream = stream};
}

static void accept_stream(void *arg, struct stream *stream)
{
    struct server_listener *l = arg;
    if (l->server->serving)
        dispatch(l->server, l->service, stream);
    else
        keep_pending(l, stream);
}

void server_serve_pending(struct server *s)
{
    struct pending_stream *p;
    while ((p = s->pending)) {
        s->pending = p->next;
        dispatch(s, p->listener->service, p->stream);
        free(p);
    }
}

/* --- the plan of what they will be --- */

static void listener_free(struct server_listener *l)
{
    if (l->listener)
        listener_close(l->listener);
    service_unref(l->service);
    free(l);
}

static void list_free(struct server_listener *list)
{
    while (list) {
        struct server_listener *next = list->next;
        listener_free(list);
        list = next;
    }
}

static struct server_listener *list_of(struct server *s, struct config *config,
                                       struct tls_context *tls)
{
    struct server_listener *list = NULL, **end = &list;
    const struct server_settings *settings = config_block(config, &server_settings_block);
    const char *hostname = server_hostname(settings, s->arena);
    for (size_t i = 0; i < config_count(config, &listener_settings_block); i++) {
        const struct listener_settings *l = config_at(config, &listener_settings_block, i);
        for (size_t n = 0; n < l->address.count; n++, end = &(*end)->next) {
            *end = MEM_NEW(struct server_listener);
            (*end)->server = s;
            (*end)->address = l->address.items[n];
            (*end)->mode = service_socket_mode(l);
            struct tls_context *own =
                l->tls == SERVICE_TLS_NONE || !tls
                    ? NULL
                    : tls_context_for_clients(tls, (enum tls_clients)l->client_certificates);
            (*end)->service = service_new(config, l, own, hostname);
            tls_context_unref(own);
        }
    }
    return list;
}

static struct server_listener *find_same(struct server_listener *list,
                                         const struct server_listener *like)
{
    while (list && strcmp(list->address, like->address) != 0)
        list = list->next;
    return list;
}

/* Sockets are the user's that the server becomes: the file of one, and the right to open others
 * beside it. */
static bool give_sockets(const struct server *s, struct listener *l, struct err *e)
{
    return !s->drop || geteuid() != 0 || listener_give(l, s->uid, s->gid, e);
}

static bool open_one(struct server_listener *l, const struct listen_sockets_others *others,
                     struct err *e)
{
    struct server *s = l->server;
    l->listener =
        listener_prepare(s->loop, l->address, l->mode, s->manager, others, accept_stream, l, e);
    if (!l->listener)
        return err_prefix(e, "listener %s", l->service->listener->name);
    listener_set_proxies(l->listener, &l->service->listener->proxy_protocol_from);
    return give_sockets(s, l->listener, e);
}

/* The sockets of those that are not in the list any more. */
static struct listen_sockets_others gone_sockets(struct server *s, struct server_listener *list)
{
    size_t room = 0;
    for (struct server_listener *l = s->listeners; l; l = l->next)
        room++;
    struct listen_sockets **gone = mem_array(room, sizeof(struct listen_sockets *));
    struct listen_sockets_others others = {.list = gone};
    for (struct server_listener *l = s->listeners; l; l = l->next)
        if (!find_same(list, l) && l->listener)
            gone[others.count++] = listener_all_sockets(l->listener);
    return others;
}

bool server_prepare_listeners(struct server *s, struct config *config, struct tls_context *tls,
                              struct listener_plan *plan, struct err *e)
{
    bool ok = true;
    plan->list = list_of(s, config, tls);
    struct listen_sockets_others others = gone_sockets(s, plan->list);
    for (struct server_listener *l = plan->list; ok && l; l = l->next)
        ok = find_same(s->listeners, l) || open_one(l, &others, e);
    free((void *)others.list);
    if (!ok)
        server_forget_listeners(plan);
    return ok;
}

void server_forget_listeners(struct listener_plan *plan)
{
    list_free(plan->list);
    plan->list = NULL;
}

/* --- the plan becomes true --- */

/* The present entry takes over the new service: its socket calls back with this entry. */
static void take_over(struct server_listener *old, struct server_listener *new)
{
    struct err e;
    struct service *service = old->service;
    old->service = new->service;
    old->address = new->address;
    new->service = service;
    if (old->mode != new->mode &&
        !listen_sockets_set_mode(listener_all_sockets(old->listener), new->mode, &e))
        log_warning("maild", NULL, "permissions not changed listener=%s reason=\"%s\"",
                    old->service->listener->name, e.text);
    old->mode = new->mode;
    listener_set_proxies(old->listener, &old->service->listener->proxy_protocol_from);
}

/* Old entries that go on replace their likes in the new list. */
static struct server_listener *merge(struct server_listener **old, struct server_listener *new)
{
    struct server_listener *merged = NULL, **end = &merged;
    while (new) {
        struct server_listener *next = new->next, *entry = new, **link = old;
        while (*link && strcmp((*link)->address, new->address) != 0)
            link = &(*link)->next;
        if (*link) {
            entry = *link;
            *link = entry->next;
            take_over(entry, new);
            listener_free(new);
        }
        entry->next = NULL;
        *end = entry;
        end = &entry->next;
        new = next;
    }
    return merged;
}

/* They end before the new ones are shown to the service manager: it knows sockets by addresses,
 * which both may have. */
static void finish_all(struct server_listener *gone)
{
    for (struct server_listener *l = gone; l; l = l->next) {
        listener_finish(l->listener);
        l->listener = NULL;
    }
}

void server_apply_listeners(struct server *s, struct listener_plan *plan)
{
    struct server_listener *gone = s->listeners;
    s->listeners = merge(&gone, plan->list);
    plan->list = NULL;
    finish_all(gone);
    list_free(gone);
    for (struct server_listener *l = s->listeners; l; l = l->next) {
        if (!l->begun)
            listener_begin(l->listener);
        l->begun = true;
    }
}

void server_close_listeners(struct server *s, bool keep)
{
    struct pending_stream *p;
    while ((p = s->pending)) {
        s->pending = p->next;
        stream_close(p->stream);
        free(p);
    }
    for (struct server_listener *l = s->listeners; keep && l; l = l->next) {
        if (l->listener)
            listener_leave(l->listener);
        l->listener = NULL;
    }
    list_free(s->listeners);
    s->listeners = NULL;
}

size_t server_sockets(const struct server *s, int *fds, size_t max)
{
    size_t count = 0;
    for (const struct server_listener *l = s->listeners; l; l = l->next) {
        int own[LISTENER_SOCKETS];
        size_t n = l->listener ? listener_sockets(l->listener, own) : 0;
        for (size_t i = 0; i < n; i++, count++)
            if (count < max)
                fds[count] = own[i];
    }
    return count;
}

/* --- status --- */

static const char *choice_text(const char *setting, int value)
{
    for (const struct setting *s = listener_settings_block.settings; s->name; s++)
        if (strcmp(s->name, setting) == 0)
            return s->choices[value];
    return "";
}

/* SASL's name of what users log in to; NULL: nobody logs in there. */
static const char *service_of_logins(const struct listener_settings *l)
{
    if (l->tls == SERVICE_TLS_NONE && !l->auth_without_tls)
        return NULL;
    switch ((enum service_protocol)l->protocol) {
    case SERVICE_SMTP:
        return l->auth ? "smtp" : NULL;
    case SERVICE_SUBMISSION:
        return "smtp";
    case SERVICE_IMAP:
        return "imap";
    case SERVICE_POP3:
        return "pop3";
    case SERVICE_LMTP:
    case SERVICE_HTTP:
        break;
    }
    return NULL;
}

void server_describe_listeners(const struct server *s, json_t *status)
{
    json_t *list = json_array();
    for (const struct server_listener *l = s->listeners; l; l = l->next) {
        const struct listener_settings *settings = l->service->listener;
        json_t *json = json_object();
        json_object_set_new(json, "name", json_string(settings->name));
        json_object_set_new(json, "protocol",
                            json_string(choice_text("protocol", settings->protocol)));
        json_object_set_new(json, "tls", json_string(choice_text("tls", settings->tls)));
        json_object_set_new(json, "address",
                            json_string(l->listener ? listener_address(l->listener) : l->address));
        const char *service = service_of_logins(settings);
        if (service && s->auth)
            json_object_set_new(
                json, "mechanisms",
                json_string(sasl_mechanisms_of(s->auth, service, settings->tls != SERVICE_TLS_NONE,
                                               settings->client_certificates != 0)));
        json_array_append_new(list, json);
    }
    json_object_set_new(status, "listeners", list);
}
