/*
 * Listeners and what they do with a connection: hand it to its protocol, with the service that is
 * in force at that moment. Connections that arrive while the server still opens its journal and
 * mailboxes wait; ports below 1024 must be opened before root's rights are given up, and senders
 * that find the port open wait a little more gladly than they come back.
 *
 * A reload compares addresses: a listener whose address stays keeps its socket, and only its
 * service is replaced, so no connection is lost. Addresses that are gone are closed before new ones
 * are opened, because *:25 and 192.0.2.1:25 cannot both be open; if a new one then fails, the old
 * ones are opened again.
 */
#include "server.h"

#include "core/log.h"
#include "core/mem.h"
#include "net/listener.h"

#include <stdlib.h>
#include <unistd.h>

#define PENDING_MAX 1024

struct server_listener {
    struct server_listener *next;
    struct server *server;
    struct listener *listener; /* NULL: not open */
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

/* --- making the list --- */

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

static bool same_socket(const struct server_listener *a, const struct server_listener *b)
{
    return strcmp(a->address, b->address) == 0 && a->mode == b->mode;
}

static struct server_listener *find_same(struct server_listener *list,
                                         const struct server_listener *like)
{
    while (list && !same_socket(list, like))
        list = list->next;
    return list;
}

/* A Unix socket is the user's that the server becomes. */
static bool give_socket(const struct server *s, const char *address, struct err *e)
{
    struct str path = str_from_c(address);
    if (!s->drop || geteuid() != 0 || !str_starts_with(path, STR("unix:")))
        return true;
    if (chown(address + 5, s->uid, s->gid) == 0)
        return true;
    return err_set(e, ERR_PERM, "%s cannot be given to user %s", address + 5, s->settings->user);
}

static bool open_one(struct server_listener *l, struct err *e)
{
    l->listener = listener_open(l->server->loop, l->address, l->mode, l->server->manager,
                                accept_stream, l, e);
    if (!l->listener)
        return err_prefix(e, "listener %s", l->service->listener->name);
    listener_set_proxies(l->listener, &l->service->listener->proxy_protocol_from);
    return give_socket(l->server, l->address, e);
}

static bool open_missing(struct server_listener *list, const struct server_listener *kept,
                         struct err *e)
{
    for (; list; list = list->next)
        if (!find_same((struct server_listener *)kept, list) && !open_one(list, e))
            return false;
    return true;
}

/* The present entry takes over the new service: its socket calls back with this entry. */
static void take_over(struct server_listener *old, struct server_listener *new)
{
    struct service *service = old->service;
    old->service = new->service;
    old->address = new->address;
    new->service = service;
    if (old->listener)
        listener_set_proxies(old->listener, &old->service->listener->proxy_protocol_from);
}

/* Old entries that go on replace their likes in the new list. */
static struct server_listener *merge(struct server_listener **old, struct server_listener *new)
{
    struct server_listener *merged = NULL, **end = &merged;
    while (new) {
        struct server_listener *next = new->next, *entry = new, **link = old;
        while (*link && !same_socket(*link, new))
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

bool server_listen(struct server *s, struct config *config, struct tls_context *tls, struct err *e)
{
    struct server_listener *list = list_of(s, config, tls), *gone;
    for (gone = s->listeners; gone; gone = gone->next) {
        if (find_same(list, gone) || !gone->listener)
            continue;
        listener_close(gone->listener);
        gone->listener = NULL;
    }
    if (!open_missing(list, s->listeners, e)) {
        list_free(list);
        struct err again;
        for (gone = s->listeners; gone; gone = gone->next)
            if (!gone->listener && !open_one(gone, &again))
                log_error("maild", NULL, "%s", again.text);
        return false;
    }
    gone = s->listeners;
    s->listeners = merge(&gone, list);
    list_free(gone);
    return true;
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
