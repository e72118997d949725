/*
 * The hub's own life. The settings are copied: the configuration they come from may be replaced
 * while a thread hangs.
 */
#include "auth/ldap_hub.h"

#include "core/mem.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct ldap_connection_settings copy_settings(struct arena *a,
                                                     const struct ldap_connection_settings *s)
{
    struct ldap_connection_settings c = *s;
    const char **texts[] = {&c.discover, &c.tls_ca,   &c.tls_certificate, &c.tls_key,
                            &c.bind_dn,  &c.password, &c.keytab,          &c.principal};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        *texts[i] = arena_c(a, str_from_c(*texts[i]));
    c.servers = (struct string_list){0}; /* those are given by themselves */
    return c;
}

const struct ldap_intervals ldap_intervals = {
    .look = USEC_SEC / 2, .back_off_least = USEC_SEC, .back_off_most = 60 * USEC_SEC};

static void init_pool(struct ldap_hub *h, enum ldap_pool_kind kind, size_t threads, size_t capacity)
{
    h->pools[kind] = (struct ldap_pool){.kind = kind, .thread_max = threads, .capacity = capacity};
}

struct ldap_hub *ldap_hub_new(struct loop *l, const char *name,
                              const struct ldap_connection_settings *s, struct err *e)
{
    int stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct thread_inbox *inbox = stop < 0 ? NULL : thread_inbox_new(l, e);
    if (!inbox) {
        if (stop < 0)
            err_set(e, ERR_TEMP, "ldap %s: eventfd cannot be made", name);
        else
            close(stop);
        return NULL;
    }
    struct ldap_hub *h = MEM_NEW(struct ldap_hub);
    h->references = 1;
    h->arena = arena_new();
    h->name = arena_c(h->arena, str_from_c(name));
    h->settings = copy_settings(h->arena, s);
    h->intervals = ldap_intervals;
    h->inbox = inbox;
    h->stop = stop;
    pthread_mutex_init(&h->lock, NULL);
    init_pool(h, LDAP_POOL_SEARCH, (size_t)s->connections, LDAP_PIPELINE_MAX);
    init_pool(h, LDAP_POOL_PAGED, LDAP_PAGE_CONNECTIONS, 1);
    return h;
}

struct ldap_hub *ldap_hub_ref(struct ldap_hub *h)
{
    atomic_fetch_add(&h->references, 1);
    return h;
}

void ldap_hub_unref(struct ldap_hub *h)
{
    if (!h || atomic_fetch_sub(&h->references, 1) > 1)
        return;
    explicit_bzero((char *)h->settings.password, strlen(h->settings.password));
    close(h->stop);
    thread_inbox_unref(h->inbox);
    pthread_mutex_destroy(&h->lock);
    arena_free(h->arena);
    free(h);
}

bool ldap_hub_start_thread(struct ldap_hub *h, const char *name, void (*fn)(void *arg), void *arg)
{
    ldap_hub_ref(h);
    h->alive++;
    if (thread_start(name, fn, arg, NULL))
        return true;
    h->alive--;
    ldap_hub_unref(h);
    return false;
}

void ldap_hub_end_thread(struct ldap_hub *h)
{
    pthread_mutex_lock(&h->lock);
    h->alive--;
    pthread_mutex_unlock(&h->lock);
    ldap_hub_unref(h);
}

static size_t count_alive(struct ldap_hub *h)
{
    pthread_mutex_lock(&h->lock);
    size_t n = h->alive;
    pthread_mutex_unlock(&h->lock);
    return n;
}

void ldap_hub_await_end(struct ldap_hub *h, usec deadline)
{
    while (count_alive(h) > 0 && clock_monotonic() < deadline)
        if (!fiber_sleep(2 * USEC_MSEC, NULL))
            return;
}
