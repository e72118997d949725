/*
 * Searches and logins per second at an LDAP server, over the server's pools and over plain threads
 * with a connection each (what ldapwhoami does, without making the connection anew), in turns:
 *
 *   bench_ldap URI CA BASE BIND_DN PASSWORD USER USER_PASSWORD [SECONDS]
 *
 * USER: uid of an entry below BASE, whose DN is asked for first. BIND_DN and CA may be "".
 */
#include "auth/ldap_client.h"
#include "auth/ldap_settings.h"
#include "core/loop.h"
#include "core/mem.h"
#include "core/thread.h"

#include <ldap.h>
#include <openldap.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define FIBERS  100
#define THREADS 4 /* as many as bind_connections */
#define ROUNDS  3

struct bench {
    struct ldap_settings settings;
    struct ldap_client *client;
    const char *base, *user, *password;
    struct str dn;
    usec length, end;
    bool binds;
    size_t running;
    uint64_t done, failed;
    struct cond over;
};

/* --- the pools --- */

static enum lookup search(struct bench *b, struct arena *a, struct str *dn, struct err *e)
{
    static const char *const attributes[] = {"uid", "mail", "cn", NULL};
    struct ldap_entries found;
    struct ldap_query q = {.base = str_from_c(b->base),
                           .scope = LDAP_SUBTREE,
                           .filter = arena_printf(a, "(uid=%s)", b->user),
                           .attributes = attributes,
                           .entries_max = 2};
    enum lookup answer = ldap_client_search(b->client, &q, a, &found, NULL, e);
    if (answer == LOOKUP_FOUND && dn)
        *dn = found.list[0].dn;
    return answer;
}

static void ask_until_end(void *arg)
{
    struct bench *b = arg;
    struct arena *a = arena_new();
    struct err e;
    while (clock_monotonic() < b->end) {
        enum lookup answer =
            b->binds ? ldap_client_bind(b->client, b->dn, str_from_c(b->password), NULL, &e)
                     : search(b, a, NULL, &e);
        if (answer == LOOKUP_FOUND)
            b->done++;
        else if (b->failed++ == 0)
            fprintf(stderr, "%d %s\n", (int)answer, e.text);
        arena_reset(a);
    }
    arena_free(a);
    if (--b->running == 0)
        cond_signal(&b->over);
}

static double run_pools(struct bench *b, bool binds)
{
    b->binds = binds;
    b->done = b->failed = 0;
    usec begun = clock_monotonic();
    b->end = begun + b->length;
    for (size_t i = 0; i < FIBERS; i++)
        b->running += fiber_start(loop_current(), "bench", ask_until_end, b) != NULL;
    while (b->running > 0)
        cond_wait_certain(&b->over);
    return (double)b->done * USEC_SEC / (double)(clock_monotonic() - begun);
}

/* --- plain threads --- */

struct plain {
    struct bench *bench;
    struct thread_note note;
    uint64_t done;
    struct thread_inbox *inbox;
};

static LDAP *open_plain(struct bench *b, bool service)
{
    LDAP *ld;
    const struct ldap_connection_settings *s = &b->settings.connection;
    int version = LDAP_VERSION3, client = 0;
    struct berval secret = {strlen(s->password), (char *)s->password};
    ldap_initialize(&ld, s->servers.items[0]);
    ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
    if (s->tls_ca[0]) {
        ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, s->tls_ca);
        ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client);
    }
    if (s->starttls)
        ldap_start_tls_s(ld, NULL, NULL);
    if (service && s->bind_dn[0])
        ldap_sasl_bind_s(ld, s->bind_dn, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL);
    return ld;
}

static void plain_done(struct thread_note *n)
{
    struct plain *p = (struct plain *)((char *)n - offsetof(struct plain, note));
    struct bench *b = p->bench;
    b->done += p->done;
    if (--b->running == 0)
        cond_signal(&b->over);
    thread_inbox_unref(p->inbox);
    free(p);
}

static bool plain_search(LDAP *ld, struct bench *b, const char *filter)
{
    static char *attributes[] = {(char *)"uid", (char *)"mail", (char *)"cn", NULL};
    LDAPMessage *message = NULL;
    int rc = ldap_search_ext_s(ld, b->base, LDAP_SCOPE_SUBTREE, filter, attributes, 0, NULL, NULL,
                               NULL, 3, &message);
    ldap_msgfree(message);
    return rc == LDAP_SUCCESS;
}

static void plain_thread(void *arg)
{
    struct plain *p = arg;
    struct bench *b = p->bench;
    LDAP *ld = open_plain(b, !b->binds);
    struct berval secret = {strlen(b->password), (char *)b->password};
    char filter[200];
    snprintf(filter, sizeof(filter), "(uid=%s)", b->user);
    while (clock_monotonic() < b->end)
        p->done += b->binds ? ldap_sasl_bind_s(ld, b->dn.p, LDAP_SASL_SIMPLE, &secret, NULL, NULL,
                                               NULL) == LDAP_SUCCESS
                            : plain_search(ld, b, filter);
    ldap_unbind_ext_s(ld, NULL, NULL);
    thread_inbox_post(p->inbox, &p->note);
}

static double run_plain(struct bench *b, bool binds)
{
    struct err e;
    struct thread_inbox *inbox = thread_inbox_new(loop_current(), &e);
    b->binds = binds;
    b->done = 0;
    usec begun = clock_monotonic();
    b->end = begun + b->length;
    for (size_t i = 0; i < THREADS; i++) {
        struct plain *p = MEM_NEW(struct plain);
        *p = (struct plain){.bench = b, .note.fn = plain_done, .inbox = thread_inbox_ref(inbox)};
        b->running++;
        if (!thread_start("bench", plain_thread, p, &e))
            exit(1);
    }
    while (b->running > 0)
        cond_wait_certain(&b->over);
    thread_inbox_close(inbox);
    thread_inbox_unref(inbox);
    return (double)b->done * USEC_SEC / (double)(clock_monotonic() - begun);
}

static void run(void *arg)
{
    struct bench *b = arg;
    struct err e = {0};
    struct arena *a = arena_new();
    b->client = ldap_client_new(loop_current(), &b->settings, &e);
    if (!b->client || search(b, a, &b->dn, &e) != LOOKUP_FOUND) {
        fprintf(stderr, "bench_ldap: %s\n", e.text);
        exit(1);
    }
    for (int binds = 0; binds < 2; binds++) {
        double ours = 0, plain = 0;
        for (size_t i = 0; i < ROUNDS; i++) {
            ours += run_pools(b, binds) / ROUNDS;
            plain += run_plain(b, binds) / ROUNDS;
        }
        printf("%s/s: %.0f in pools, %.0f over %d plain connections (%.0f %%), %llu failed\n",
               binds ? "logins" : "searches", ours, plain, THREADS, 100 * ours / plain,
               (unsigned long long)b->failed);
    }
    ldap_client_close(b->client);
    arena_free(a);
    loop_stop(loop_current());
}

int main(int argc, char **argv)
{
    if (argc < 8) {
        fprintf(stderr,
                "usage: bench_ldap URI CA BASE BIND_DN PASSWORD USER USER_PASSWORD [SECONDS]\n");
        return 2;
    }
    struct err e;
    static const char *servers[1];
    servers[0] = argv[1];
    struct bench b = {.base = argv[3],
                      .user = argv[6],
                      .password = argv[7],
                      .length = (argc > 8 ? atoi(argv[8]) : 3) * USEC_SEC};
    b.settings = (struct ldap_settings){.name = "bench"};
    b.settings.connection = (struct ldap_connection_settings){
        .servers = {servers, 1},
        .discover = "",
        .tls_ca = argv[2],
        .starttls = argv[2][0] && strncmp(argv[1], "ldap:", 5) == 0,
        .tls_certificate = "",
        .tls_key = "",
        .tls_verify = true,
        .bind_dn = argv[4],
        .password = argv[5],
        .keytab = "",
        .principal = "",
        .timeout = 5 * USEC_SEC,
        .connect_timeout = 3 * USEC_SEC,
        .connections = 2,
        .bind_connections = THREADS,
    };
    struct loop *l = loop_new(&e);
    if (!l || !fiber_start(l, "bench", run, &b))
        return 1;
    loop_run(l);
    loop_free(l);
    return 0;
}
