/*
 * Several certificates in one server. A client that says which host it wants (server_name, RFC 6066
 * section 3) gets the certificate with that name; one that says nothing, or a name that none has,
 * gets that of the block tls, and may decide itself what it thinks of it.
 *
 * Each certificate is in a context of its own, which lends it to the connection while the handshake
 * is at the client's first message; everything else - versions, ciphers, tickets, authorities of
 * clients - is the server's. Names are sorted once, so it does not matter how many there are. A
 * name is looked for as it is, then with its first label as a star (RFC 9525 section 6.3). Of two
 * certificates with a name the one that stands first in the file has it.
 */
#include "net/tls_names.h"

#include "core/arena.h"
#include "core/mem.h"
#include "net/tls_describe.h"
#include "net/tls_private.h"

#include <openssl/err.h>
#include <stdlib.h>

#define NAME_MAX_BYTES 255

#define FIELD(name) offsetof(struct certificate_settings, name)

static const struct setting settings[] = {
    {"names", SETTING_STRING_LIST, FIELD(names), "", 0, 0, NULL,
     "Hosts for which clients get this certificate when they name one (SNI): \"mail.example.org\", "
     "\"*.example.net\". Empty: those that the certificate has."},
    {"certificate", SETTING_PATH, FIELD(certificate), NULL, 0, 0, NULL,
     "PEM file with the certificate and the chain behind it."},
    {"key", SETTING_PATH, FIELD(key), "", 0, 0, NULL,
     "PEM file with the private key, without passphrase. Not set: in the certificate's file."},
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
    if (s->certificate[0] == '\0')
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

/* --- the contexts --- */

struct named_context {
    SSL_CTX *ssl;
    const char *file;
};

struct server_name {
    struct str name; /* lower case */
    size_t context;  /* of tls_names.contexts */
};

struct tls_names {
    struct arena *arena;
    struct named_context *contexts;
    size_t context_count;
    struct server_name *list; /* sorted */
    size_t count, room;
};

static void add_name(struct tls_names *n, struct str name, size_t context)
{
    if (n->count == n->room) {
        struct server_name *more = arena_array(n->arena, 2 * n->room + 8, sizeof(*more));
        if (n->count > 0)
            memcpy(more, n->list, n->count * sizeof(*more));
        n->list = more;
        n->room = 2 * n->room + 8;
    }
    n->list[n->count++] = (struct server_name){arena_lower(n->arena, name), context};
}

static void add_names(struct tls_names *n, const struct certificate_settings *s, size_t context)
{
    struct tls_certificate own;
    for (size_t i = 0; i < s->names.count; i++)
        add_name(n, str_from_c(s->names.items[i]), context);
    if (s->names.count > 0 || !tls_describe_certificate(n->contexts[context].ssl, n->arena, &own))
        return;
    for (size_t i = 0; i < own.name_count; i++)
        if (is_server_name(own.names[i]))
            add_name(n, own.names[i], context);
}

static bool add_context(struct tls_names *n, const struct certificate_settings *s, struct err *e)
{
    SSL_CTX *ssl = tls_new_server_ssl(e);
    if (!ssl)
        return false;
    size_t i = n->context_count++;
    n->contexts[i] =
        (struct named_context){.ssl = ssl, .file = arena_c(n->arena, str_from_c(s->certificate))};
    if (!tls_use_pair(ssl, s->certificate, s->key, e))
        return err_prefix(e, "certificate %s", s->name);
    add_names(n, s, i);
    return true;
}

static int compare_names(const void *a, const void *b)
{
    const struct server_name *x = a, *y = b;
    int order = str_compare(x->name, y->name);
    return order ? order : x->context < y->context ? -1 : x->context > y->context;
}

struct tls_names *tls_names_new(const struct config *config, struct err *e)
{
    struct tls_names *n = MEM_NEW(struct tls_names);
    size_t count = config_count(config, &certificate_settings_block);
    n->arena = arena_new();
    n->contexts = arena_array(n->arena, count, sizeof(*n->contexts));
    for (size_t i = 0; i < count; i++)
        if (!add_context(n, config_at(config, &certificate_settings_block, i), e)) {
            tls_names_free(n);
            return NULL;
        }
    if (n->count > 0)
        qsort(n->list, n->count, sizeof(*n->list), compare_names);
    return n;
}

void tls_names_free(struct tls_names *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->context_count; i++)
        SSL_CTX_free(n->contexts[i].ssl);
    arena_free(n->arena);
    free(n);
}

/* The first of those with this name. */
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
    if (low == n->count || !str_equal(n->list[low].name, name))
        return NULL;
    return n->contexts[n->list[low].context].ssl;
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
    return 1 + (c->names ? c->names->context_count : 0);
}

const char *tls_context_certificate_at(const struct tls_context *c, size_t i, struct arena *a,
                                       struct tls_certificate *certificate)
{
    if (i == 0)
        return tls_describe_certificate(c->ssl, a, certificate) ? "" : NULL;
    const struct named_context *named = &c->names->contexts[i - 1];
    return tls_describe_certificate(named->ssl, a, certificate) ? named->file : NULL;
}
