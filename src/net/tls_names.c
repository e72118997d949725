/*
 * Several certificates in one server. A client that says which host it wants (server_name, RFC 6066
 * section 3) gets the certificate with that name; one that says nothing, or a name that none has,
 * gets that of the block tls, and may decide itself what it thinks of it.
 *
 * A name's certificates - one of each kind of key - are in a context, which lends them to the
 * connection while the handshake is at the client's first message; everything else - versions,
 * ciphers, tickets, authorities of clients - is the server's. Names with the same certificates
 * share one. Names are sorted once, so it does not matter how many there are. A name is looked for
 * as it is, then with its first label as a star (RFC 9525 section 6.3). Of two certificates with a
 * name and the same kind of key the one that stands first in the file has it, and the other one is
 * told of.
 */
#include "net/tls_names.h"

#include "core/arena.h"
#include "core/mem.h"
#include "net/tls_pairs.h"

#include <openssl/err.h>
#include <stdlib.h>

#define NAME_MAX_BYTES 255

#define FIELD(name) offsetof(struct certificate_settings, name)

static const struct setting settings[] = {
    {"names", SETTING_STRING_LIST, FIELD(names), "", 0, 0, NULL,
     "Hosts for which clients get this certificate when they name one (SNI): \"mail.example.org\", "
     "\"*.example.net\". Empty: those that the certificate has."},
    {"certificate", SETTING_PATHS, FIELD(certificate), NULL, 0, 0, NULL,
     "PEM file with the certificate and the chain behind it. Two, one with an RSA key and one with "
     "an ECDSA key: each client gets the one that it can use; so it is with two blocks that have "
     "the same names."},
    {"key", SETTING_PATHS, FIELD(key), "", 0, 0, NULL,
     "PEM file with the private key, without passphrase; of several certificates as many, in the "
     "same order. Not set: in the certificate's file."},
    {0},
};

static bool is_server_name(struct str name)
{
    if (str_starts_with(name, STR("*.")))
        name = str_skip(name, 2);
    for (size_t i = 0; i < name.n; i++) {
        char c = char_lower(name.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'))
            return false;
    }
    return name.n > 0 && name.n <= NAME_MAX_BYTES && name.p[0] != '.';
}

static bool check_settings(const void *values, struct err *e)
{
    const struct certificate_settings *s = values;
    if (s->certificate.count == 0)
        return err_set(e, ERR_SYNTAX, "certificate may not be empty");
    for (size_t i = 0; i < s->names.count; i++)
        if (!is_server_name(str_from_c(s->names.items[i])))
            return err_set(e, ERR_SYNTAX,
                           "names: \"%s\" is not the name of a host (letters, digits, hyphens and "
                           "dots; others as xn--...)",
                           s->names.items[i]);
    return true;
}

const struct settings_block certificate_settings_block = {
    .name = "certificate",
    .help = "One more certificate of this server, for clients that ask for it by a name; others "
            "get that of the block tls. Certificates are read anew when their files change.",
    .named = true,
    .size = sizeof(struct certificate_settings),
    .settings = settings,
    .check = check_settings,
};

/* --- reading --- */

#define SHADOWS_TOLD 20

struct server_name {
    struct str name; /* lower case */
    size_t pair;     /* of tls_names.pairs */
};

struct named_context {
    struct str name;
    SSL_CTX *ssl;
};

/* Certificates that some names have together. */
struct set {
    struct set *next; /* that begins with the same one */
    SSL_CTX *ssl;
    const size_t *pairs;
    size_t count;
};

struct tls_names {
    struct arena *arena;
    struct tls_pairs **blocks;
    size_t block_count;
    const struct tls_pair **pairs; /* of all blocks, in the order of the file */
    size_t pair_count;
    struct set **sets;          /* by the first of their pairs */
    struct named_context *list; /* sorted */
    size_t count;
    const char *shadows[SHADOWS_TOLD];
    size_t shadow_count;
};

/* While they are read. */
struct gathering {
    struct tls_names *n;
    struct server_name *list;
    size_t count, room;
};

static void add_name(struct gathering *g, struct str name, size_t pair)
{
    struct arena *a = g->n->arena;
    g->list = arena_grow(a, g->list, g->count, &g->room, sizeof(*g->list), 8);
    g->list[g->count++] = (struct server_name){arena_lower(a, name), pair};
}

static void add_names(struct gathering *g, const struct certificate_settings *s, size_t pair)
{
    struct tls_certificate own;
    for (size_t i = 0; i < s->names.count; i++)
        add_name(g, str_from_c(s->names.items[i]), pair);
    if (s->names.count > 0)
        return;
    tls_describe_pair(g->n->pairs[pair], g->n->arena, &own);
    for (size_t i = 0; i < own.name_count; i++)
        if (is_server_name(own.names[i]))
            add_name(g, own.names[i], pair);
}

static bool read_block(struct gathering *g, const struct certificate_settings *s, struct err *e)
{
    struct tls_names *n = g->n;
    struct tls_pairs *block = tls_pairs_read(&s->certificate, &s->key, e);
    if (!block)
        return err_prefix(e, "certificate %s", s->name);
    n->blocks[n->block_count++] = block;
    for (size_t i = 0; i < block->count; i++) {
        n->pairs[n->pair_count++] = &block->list[i];
        add_names(g, s, n->pair_count - 1);
    }
    return true;
}

static bool read_blocks(struct gathering *g, const struct config *config, struct err *e)
{
    struct tls_names *n = g->n;
    size_t blocks = config_count(config, &certificate_settings_block), pairs = 0;
    for (size_t i = 0; i < blocks; i++) {
        const struct certificate_settings *s = config_at(config, &certificate_settings_block, i);
        pairs += s->certificate.count;
    }
    n->blocks = arena_array(n->arena, blocks, sizeof(*n->blocks));
    n->pairs = arena_array(n->arena, pairs, sizeof(*n->pairs));
    n->sets = arena_array(n->arena, pairs, sizeof(*n->sets));
    for (size_t i = 0; i < blocks; i++)
        if (!read_block(g, config_at(config, &certificate_settings_block, i), e))
            return false;
    return true;
}

/* --- which names have which certificates --- */

static int compare_names(const void *a, const void *b)
{
    const struct server_name *x = a, *y = b;
    int order = str_compare(x->name, y->name);
    return order ? order : x->pair < y->pair ? -1 : x->pair > y->pair;
}

static SSL_CTX *new_context(const struct tls_names *n, const size_t *pairs, size_t count,
                            struct err *e)
{
    SSL_CTX *ssl = tls_new_server_ssl(e);
    for (size_t i = 0; ssl && i < count; i++)
        if (!tls_pair_use(n->pairs[pairs[i]], ssl, e)) {
            SSL_CTX_free(ssl);
            return NULL;
        }
    return ssl;
}

static SSL_CTX *context_of(struct tls_names *n, const size_t *pairs, size_t count, struct err *e)
{
    for (const struct set *s = n->sets[pairs[0]]; s; s = s->next)
        if (s->count == count && memcmp(s->pairs, pairs, count * sizeof(*pairs)) == 0)
            return s->ssl;
    SSL_CTX *ssl = new_context(n, pairs, count, e);
    if (!ssl)
        return NULL;
    size_t *own = arena_array(n->arena, count, sizeof(*own));
    struct set *set = ARENA_NEW(n->arena, struct set);
    memcpy(own, pairs, count * sizeof(*own));
    *set = (struct set){.next = n->sets[pairs[0]], .ssl = ssl, .pairs = own, .count = count};
    n->sets[pairs[0]] = set;
    return ssl;
}

/* Whether a certificate counts for a name that has those of `chosen` already. */
static bool is_new_kind(struct tls_names *n, const struct server_name *x, const size_t *chosen,
                        size_t count)
{
    const struct tls_pair *p = n->pairs[x->pair];
    for (size_t i = 0; i < count; i++) {
        const struct tls_pair *first = n->pairs[chosen[i]];
        if (first->kind != p->kind)
            continue;
        if (strcmp(first->path, p->path) != 0 && n->shadow_count < SHADOWS_TOLD)
            n->shadows[n->shadow_count++] =
                arena_printf(n->arena,
                             "clients that ask for %.*s get %s and never %s: both have it and an "
                             "%s key",
                             STR_ARG(x->name), first->path, p->path, tls_key_type(p->kind))
                    .p;
        return false;
    }
    return true;
}

/* The names that stand together in a sorted list. */
static bool make_contexts(struct gathering *g, struct err *e)
{
    struct tls_names *n = g->n;
    if (g->count > 0)
        qsort(g->list, g->count, sizeof(*g->list), compare_names);
    n->list = arena_array(n->arena, g->count, sizeof(*n->list));
    for (size_t i = 0; i < g->count;) {
        struct str name = g->list[i].name;
        size_t chosen[TLS_KINDS_MAX], count = 0;
        for (; i < g->count && str_equal(g->list[i].name, name); i++)
            if (is_new_kind(n, &g->list[i], chosen, count) && count < TLS_KINDS_MAX)
                chosen[count++] = g->list[i].pair;
        SSL_CTX *ssl = context_of(n, chosen, count, e);
        if (!ssl)
            return false;
        n->list[n->count++] = (struct named_context){name, ssl};
    }
    return true;
}

struct tls_names *tls_names_new(const struct config *config, struct err *e)
{
    struct tls_names *n = MEM_NEW(struct tls_names);
    n->arena = arena_new();
    struct gathering g = {.n = n};
    if (read_blocks(&g, config, e) && make_contexts(&g, e))
        return n;
    tls_names_free(n);
    return NULL;
}

void tls_names_free(struct tls_names *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->pair_count; i++)
        for (struct set *s = n->sets[i]; s; s = s->next)
            SSL_CTX_free(s->ssl);
    for (size_t i = 0; i < n->block_count; i++)
        tls_pairs_free(n->blocks[i]);
    arena_free(n->arena);
    free(n);
}

/* --- serving --- */

static SSL_CTX *find_exactly(const struct tls_names *n, struct str name)
{
    size_t low = 0, high = n->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (str_compare(n->list[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n->count && str_equal(n->list[low].name, name) ? n->list[low].ssl : NULL;
}

static SSL_CTX *find(const struct tls_names *n, struct str name)
{
    char text[NAME_MAX_BYTES];
    if (str_ends_with_nocase(name, STR(".")))
        name.n--;
    if (name.n == 0 || name.n > sizeof(text))
        return NULL;
    for (size_t i = 0; i < name.n; i++)
        text[i] = char_lower(name.p[i]);
    struct str lower = str_from(text, name.n);
    SSL_CTX *found = find_exactly(n, lower);
    ptrdiff_t dot = str_find_char(lower, '.');
    if (found || dot < 1)
        return found;
    text[dot - 1] = '*';
    return find_exactly(n, str_skip(lower, (size_t)dot - 1));
}

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    const struct tls_names *n = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    SSL_CTX *found = name ? find(n, str_from_c(name)) : NULL;
    (void)alert;
    if (!found)
        return SSL_TLSEXT_ERR_NOACK;
    return SSL_set_SSL_CTX(ssl, found) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void tls_names_serve(struct tls_names *n, SSL_CTX *ssl)
{
    if (n->count == 0)
        return;
    SSL_CTX_set_tlsext_servername_arg(ssl, n);
    SSL_CTX_set_tlsext_servername_callback(ssl, on_server_name);
}

/* --- for people --- */

size_t tls_context_count(const struct tls_context *c)
{
    return c->pairs->count + (c->names ? c->names->pair_count : 0);
}

const char *tls_context_certificate_at(const struct tls_context *c, size_t i, struct arena *a,
                                       struct tls_certificate *certificate)
{
    const struct tls_pair *p =
        i < c->pairs->count ? &c->pairs->list[i] : c->names->pairs[i - c->pairs->count];
    tls_describe_pair(p, a, certificate);
    return p->path;
}

const char *tls_context_shadowed_at(const struct tls_context *c, size_t i)
{
    return c->names && i < c->names->shadow_count ? c->names->shadows[i] : NULL;
}
