/*
 * The addresses under which others reach this server are, in this order: those that the operator
 * names, the public ones that listeners for SMTP are bound to, the public ones of the interfaces.
 * Of IPv6 addresses those are left out that are temporary or about to go (RFC 8981), which only
 * /proc tells. A machine without a public address is behind a router, whose address it cannot know.
 */
#include "mailctl/site.h"

#include "core/disk.h"
#include "net/network.h"
#include "net/socket_address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#define ADDRESSES_MAX     64
#define IF_INET6_MAX      (256 * 1024)
#define IFA6_TEMPORARY    0x01 /* linux/if_addr.h: IFA_F_* */
#define IFA6_NOT_DONE     0x40
#define IFA6_DEPRECATED   0x20
#define IFA6_DUPLICATE    0x08
#define IFA6_SCOPE_GLOBAL 0x00

/* RFC 6890 and later: of this machine, of this network, for documents and tests, of nobody. */
static const char *const not_public[] = {
    "0.0.0.0/8",       "10.0.0.0/8",     "100.64.0.0/10", "127.0.0.0/8",    "169.254.0.0/16",
    "172.16.0.0/12",   "192.0.0.0/24",   "192.0.2.0/24",  "192.168.0.0/16", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",   "::/128",         "::1/128",
    "64:ff9b:1::/48",  "100::/64",       "2001:db8::/32", "fc00::/7",       "fe80::/10",
    "ff00::/8",
};

bool site_network_is_public(const struct network *inner)
{
    struct network outer;
    for (size_t i = 0; i < sizeof(not_public) / sizeof(*not_public); i++) {
        struct network_address cut = inner->first;
        if (!network_parse(&outer, str_from_c(not_public[i]), NULL) || outer.first.v6 != cut.v6 ||
            outer.bits > inner->bits)
            continue;
        network_address_cut(&cut, outer.bits);
        if (memcmp(cut.bytes, outer.first.bytes, cut.v6 ? 16 : 4) == 0)
            return false;
    }
    return true;
}

bool site_is_public(const char *address)
{
    struct network n;
    if (!network_address_parse(&n.first, str_from_c(address)))
        return false;
    n.bits = n.first.v6 ? 128 : 32;
    return site_network_is_public(&n);
}

bool site_has_address(const struct site *s, const char *address)
{
    for (size_t i = 0; i < s->address_count; i++)
        if (strcmp(s->addresses[i], address) == 0)
            return true;
    return false;
}

/* In its usual form, once. */
static bool add_address(struct site *s, const char *address)
{
    struct network_address parsed;
    char text[NETWORK_TEXT_SIZE];
    if (!network_address_parse(&parsed, str_from_c(address)))
        return false;
    network_address_text(&parsed, text);
    if (!site_has_address(s, text) && s->address_count < ADDRESSES_MAX)
        s->addresses[s->address_count++] = arena_c(s->arena, str_from_c(text));
    return true;
}

/* --- interfaces --- */

static void add_ipv4_of_interfaces(struct site *s)
{
    struct ifaddrs *list = NULL;
    char text[INET_ADDRSTRLEN];
    if (getifaddrs(&list) != 0)
        return;
    for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)i->ifa_addr;
        if (in && in->sin_family == AF_INET &&
            inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text)) && site_is_public(text))
            add_address(s, text);
    }
    freeifaddrs(list);
}

static bool read_hex(struct str text, unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < 2 * n; i++) {
        char c = i < text.n ? char_lower(text.p[i]) : 'x';
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        bytes[i / 2] = (unsigned char)(i % 2 ? bytes[i / 2] | digit : digit << 4);
    }
    return true;
}

/* "20010db8000000000000000000000001 02 40 00 80 eth0": address, interface, prefix, scope, flags */
static void take_ipv6_line(struct site *s, struct str line)
{
    unsigned char address[16], scope, flags;
    char text[INET6_ADDRSTRLEN];
    struct str word[5];
    for (size_t i = 0; i < 5; i++)
        word[i] = str_word(&line);
    if (read_hex(word[0], address, 16) && read_hex(word[3], &scope, 1) &&
        read_hex(word[4], &flags, 1) && scope == IFA6_SCOPE_GLOBAL &&
        !(flags & (IFA6_TEMPORARY | IFA6_NOT_DONE | IFA6_DEPRECATED | IFA6_DUPLICATE)) &&
        inet_ntop(AF_INET6, address, text, sizeof(text)) && site_is_public(text))
        add_address(s, text);
}

static void add_ipv6_of_interfaces(struct site *s)
{
    struct buf b = BUF_EMPTY;
    struct str line;
    if (disk_read_file("/proc/net/if_inet6", IF_INET6_MAX, &b, NULL))
        for (struct str rest = buf_str(&b); (line = str_split(&rest, '\n')).p;)
            take_ipv6_line(s, line);
    buf_free(&b);
}

/* --- listeners --- */

static void add_listener(struct site *s, const struct listener_settings *settings,
                         const char *address)
{
    struct site_listener *l = &s->listeners[s->listener_count++];
    struct str host;
    *l = (struct site_listener){.settings = settings, .address = address, .host = ""};
    if (!str_starts_with(str_from_c(address), STR("unix:")) &&
        socket_address_split(str_from_c(address), &host, &l->port, NULL))
        l->host = arena_c(s->arena, host);
}

static void list_listeners(struct site *s)
{
    size_t room = 0, count = config_count(s->config, &listener_settings_block);
    for (size_t i = 0; i < count; i++) {
        const struct listener_settings *l = config_at(s->config, &listener_settings_block, i);
        room += l->address.count;
    }
    s->listeners = arena_array(s->arena, room, sizeof(*s->listeners));
    for (size_t i = 0; i < count; i++) {
        const struct listener_settings *l = config_at(s->config, &listener_settings_block, i);
        for (size_t k = 0; k < l->address.count; k++)
            add_listener(s, l, l->address.items[k]);
    }
}

static bool is_any(const char *host)
{
    return strcmp(host, "*") == 0 || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* A listener that people log in to, and that is known by its name. */
static void add_service(struct site *s, const struct site_listener *l)
{
    enum service_protocol protocol = (enum service_protocol)l->settings->protocol;
    enum service_tls tls = (enum service_tls)l->settings->tls;
    if (!l->outside || tls == SERVICE_TLS_NONE || !zone_service_name(protocol, tls))
        return;
    for (size_t i = 0; i < s->service_count; i++)
        if (s->services[i].protocol == protocol && s->services[i].tls == tls)
            return;
    s->services[s->service_count++] =
        (struct zone_service){.protocol = protocol, .tls = tls, .port = l->port};
}

/* Where the machine has no address of its own that others reach, a router sends them on to one
 * that is not public. */
static bool is_forwarded_to(const struct site *s, const char *host)
{
    struct socket_address address;
    return (s->source == SITE_GIVEN || s->source == SITE_NOWHERE) && !site_is_public(host) &&
           socket_address_parse(&address, str_from_c(host), 0, NULL) &&
           !socket_address_is_loopback(&address);
}

static void find_services(struct site *s)
{
    for (size_t i = 0; i < s->listener_count; i++) {
        struct site_listener *l = &s->listeners[i];
        l->outside = l->host[0] && (is_any(l->host) || site_has_address(s, l->host) ||
                                    is_forwarded_to(s, l->host));
        add_service(s, l);
    }
}

/* --- certificates --- */

static void add_certificates(struct site *s, const char *block,
                             const struct string_list *certificate, const struct string_list *key,
                             const struct string_list *names)
{
    for (size_t i = 0; i < certificate->count; i++)
        s->certificates[s->certificate_count++] = (struct site_certificate){
            block, certificate->items[i], i < key->count ? key->items[i] : certificate->items[i],
            names};
}

static void list_certificates(struct site *s)
{
    const struct tls_settings *tls = config_block(s->config, &tls_settings_block);
    size_t blocks = config_count(s->config, &certificate_settings_block);
    size_t count = tls->certificate.count;
    for (size_t i = 0; i < blocks; i++) {
        const struct certificate_settings *c = config_at(s->config, &certificate_settings_block, i);
        count += c->certificate.count;
    }
    s->certificates = arena_array(s->arena, count, sizeof(*s->certificates));
    if (tls->certificate.count == 0)
        return;
    add_certificates(s, "tls", &tls->certificate, &tls->key, NULL);
    for (size_t i = 0; i < blocks; i++) {
        const struct certificate_settings *c = config_at(s->config, &certificate_settings_block, i);
        add_certificates(s, arena_printf(s->arena, "certificate %s", c->name).p, &c->certificate,
                         &c->key, &c->names);
    }
}

static bool is_listed(const struct string_list *names, struct str host)
{
    for (size_t i = 0; i < names->count; i++)
        if (str_equal_nocase(str_from_c(names->items[i]), host))
            return true;
    return false;
}

/* Those that a client gets who asks for this very name; NULL: for one that no other has. As
 * net/tls_names.c: of each kind of key the first. */
static void choose(const struct site *s, const struct str *name, struct arena *a,
                   struct certificates *out)
{
    const struct tls_settings *tls = config_block(s->config, &tls_settings_block);
    for (size_t i = 0; i < s->certificate_count; i++) {
        const struct site_certificate *of = &s->certificates[i];
        struct certificate c;
        if ((of->names == NULL) != (name == NULL) ||
            (name && of->names->count > 0 && !is_listed(of->names, *name)) ||
            !certificate_read(of->path, tls->ca_file, a, &c, NULL) ||
            (name && of->names->count == 0 && !certificate_names_exactly(&c, *name)))
            continue;
        size_t k = 0;
        while (k < out->count && out->list[k].key_kind != c.key_kind)
            k++;
        if (k == out->count)
            out->list[out->count++] = c;
    }
}

bool site_read_certificates(const struct site *s, struct str host, struct arena *a,
                            struct certificates *out, struct err *e)
{
    const struct tls_settings *tls = config_block(s->config, &tls_settings_block);
    ptrdiff_t dot = str_find_char(host, '.');
    struct str star = arena_printf(a, "*%.*s", STR_ARG(str_skip(host, dot > 0 ? (size_t)dot : 0)));
    struct certificate unreadable;
    *out = (struct certificates){arena_array(a, s->certificate_count, sizeof(*out->list)), 0};
    choose(s, &host, a, out);
    if (out->count == 0 && dot > 0)
        choose(s, &star, a, out);
    if (out->count == 0)
        choose(s, NULL, a, out);
    if (out->count > 0)
        return true;
    if (s->certificate_count == 0)
        return err_set(e, ERR_NOT_FOUND, "there is no certificate (tls.certificate)");
    return certificate_read(s->certificates[0].path, tls->ca_file, a, &unreadable, e) ||
           err_set(e, ERR_TEMP, "%s: it could not be read before", s->certificates[0].path);
}

/* --- all --- */

static bool take_given(struct site *s, const struct arguments *a, struct err *e)
{
    for (size_t i = 0; i < a->option_count; i++)
        if (strcmp(a->options[i].name, "--address") == 0 && !add_address(s, a->options[i].value))
            return err_set(e, ERR_SYNTAX, "--address %s: expected a numeric address",
                           a->options[i].value);
    return true;
}

static void find_addresses(struct site *s)
{
    if (s->address_count > 0) {
        s->source = SITE_GIVEN;
        return;
    }
    s->source = SITE_LISTENERS;
    for (size_t i = 0; i < s->listener_count; i++)
        if (s->listeners[i].settings->protocol == SERVICE_SMTP &&
            site_is_public(s->listeners[i].host))
            add_address(s, s->listeners[i].host);
    if (s->address_count > 0)
        return;
    add_ipv4_of_interfaces(s);
    add_ipv6_of_interfaces(s);
    s->source = s->address_count > 0 ? SITE_INTERFACES : SITE_NOWHERE;
}

bool site_load(struct mailctl *m, const struct arguments *a, struct site *s, struct err *e)
{
    *s = (struct site){.arena = m->arena, .config = m->config, .server = m->settings};
    s->addresses = arena_array(s->arena, ADDRESSES_MAX, sizeof(*s->addresses));
    struct str name = arena_lower(s->arena, str_from_c(server_hostname(s->server, s->arena)));
    if (name.n > 0 && name.p[name.n - 1] == '.')
        name = arena_str(s->arena, str_head(name, name.n - 1));
    s->hostname = name.p;
    list_listeners(s);
    list_certificates(s);
    if (!take_given(s, a, e))
        return false;
    find_addresses(s);
    find_services(s);
    return true;
}
