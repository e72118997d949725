/*
 * PROXY headers. A balancer that is trusted sends them, but a mistake in its configuration lets
 * anybody write them; so nothing is guessed: a byte that does not belong there ends the connection.
 *
 * Version 1 (section 2.1) is a line, "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443" CRLF; version 2
 * (section 2.2) is binary: a signature that no protocol begins with, version and command, family,
 * length, addresses, and records of type, length, value. Of the records only the checksum
 * (PP2_TYPE_CRC32C) means something here, and all must be whole.
 */
#include "net/proxy_header.h"

#include "core/crc32c.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define V2_HEAD    16
#define CRC_TYPE   0x03
#define CRC_LENGTH 4

static enum proxy_result malformed(const char **wrong, const char *why)
{
    *wrong = why;
    return PROXY_MALFORMED;
}

/* --- version 1 --- */

/* "0" to "65535", without zeros in front. */
static bool parse_port(struct str text, uint16_t *port)
{
    uint32_t number;
    if (text.n == 0 || text.n > 5 || (text.p[0] == '0' && text.n > 1))
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
    if (!str_to_u32(text, &number) || number > UINT16_MAX)
        return false;
    *port = (uint16_t)number;
    return true;
}

/* Without brackets, and without a scope. */
static bool parse_address(struct socket_address *a, struct str text, uint16_t port, sa_family_t f)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = char_lower(text.p[i]);
        bool digit = (c >= '0' && c <= '9') || c == '.' ||
                     (f == AF_INET6 && ((c >= 'a' && c <= 'f') || c == ':'));
        if (!digit)
            return false;
    }
    return socket_address_parse(a, text, port, NULL) && a->storage.ss_family == f;
}

/* What stands before the next space, or the rest; false when there is nothing. */
static bool next_field(struct str *rest, struct str *field)
{
    ptrdiff_t space = str_find_char(*rest, ' ');
    *field = space < 0 ? *rest : str_head(*rest, (size_t)space);
    *rest = space < 0 ? str_skip(*rest, rest->n) : str_skip(*rest, (size_t)space + 1);
    return field->n > 0;
}

/* "192.0.2.1 198.51.100.1 56324 443" */
static bool parse_v1_addresses(struct proxy_header *h, struct str rest, sa_family_t family)
{
    struct str client, local, client_port, local_port;
    uint16_t from, to;
    return next_field(&rest, &client) && next_field(&rest, &local) &&
           next_field(&rest, &client_port) && str_find_char(rest, ' ') < 0 &&
           next_field(&rest, &local_port) && parse_port(client_port, &from) &&
           parse_port(local_port, &to) && parse_address(&h->client, client, from, family) &&
           parse_address(&h->local, local, to, family);
}

static enum proxy_result parse_v1_line(struct proxy_header *h, struct str line, const char **wrong)
{
    struct str rest = str_skip(line, 6), protocol;
    if (!next_field(&rest, &protocol))
        return malformed(wrong, "the line names no protocol");
    if (str_equal(protocol, STR("UNKNOWN")))
        return PROXY_COMPLETE; /* the rest is to be ignored */
    bool v4 = str_equal(protocol, STR("TCP4"));
    if (!v4 && !str_equal(protocol, STR("TCP6")))
        return malformed(wrong, "the line names an unknown protocol");
    if (!parse_v1_addresses(h, rest, v4 ? AF_INET : AF_INET6))
        return malformed(wrong, "the line has a malformed address or port");
    h->proxied = true;
    return PROXY_COMPLETE;
}

static enum proxy_result parse_v1(struct proxy_header *h, struct str bytes, const char **wrong)
{
    struct str line = str_head(bytes, bytes.n < PROXY_V1_MAX ? bytes.n : PROXY_V1_MAX);
    ptrdiff_t end = str_find_char(line, '\r');
    if (memchr(line.p, '\n', end < 0 ? line.n : (size_t)end))
        return malformed(wrong, "the line does not end in CRLF");
    if (end < 0 || (size_t)end + 1 == line.n)
        return line.n < PROXY_V1_MAX ? PROXY_INCOMPLETE : malformed(wrong, "the line is too long");
    if (line.p[end + 1] != '\n')
        return malformed(wrong, "the line does not end in CRLF");
    h->length = (size_t)end + 2;
    return parse_v1_line(h, str_head(line, (size_t)end), wrong);
}

/* --- version 2 --- */

static unsigned u16_at(const unsigned char *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

/* The sum is over the whole header, its own four bytes taken as zero (section 2.2.3). */
static bool sum_is_right(const unsigned char *p, size_t n, size_t place)
{
    static const unsigned char zero[CRC_LENGTH];
    uint32_t sum = crc32c(0, p, place);
    sum = crc32c(sum, zero, sizeof(zero));
    sum = crc32c(sum, p + place + CRC_LENGTH, n - place - CRC_LENGTH);
    return sum == ((uint32_t)u16_at(p + place) << 16 | u16_at(p + place + 2));
}

static enum proxy_result check_records(const unsigned char *p, size_t n, size_t at,
                                       const char **wrong)
{
    while (at < n) {
        if (n - at < 3 || n - at - 3 < u16_at(p + at + 1))
            return malformed(wrong, "a record is longer than the header");
        unsigned type = p[at], length = u16_at(p + at + 1);
        at += 3;
        if (type == CRC_TYPE && (length != CRC_LENGTH || !sum_is_right(p, n, at)))
            return malformed(wrong, "the checksum is wrong");
        at += length;
    }
    return PROXY_COMPLETE;
}

static void set_v4(struct socket_address *a, const unsigned char *address,
                   const unsigned char *port)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&a->storage;
    in->sin_family = AF_INET;
    memcpy(&in->sin_addr, address, 4);
    memcpy(&in->sin_port, port, 2);
    a->length = sizeof(*in);
}

static void set_v6(struct socket_address *a, const unsigned char *address,
                   const unsigned char *port)
{
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a->storage;
    in6->sin6_family = AF_INET6;
    memcpy(&in6->sin6_addr, address, 16);
    memcpy(&in6->sin6_port, port, 2);
    a->length = sizeof(*in6);
}

/* Bytes of the addresses of a family; 0: not specified, -1: there is no such family. */
static int v2_address_size(unsigned family)
{
    switch (family) {
    case 0x00:
        return 0;
    case 0x11: /* TCP, UDP over IPv4 */
    case 0x12:
        return 12;
    case 0x21: /* over IPv6 */
    case 0x22:
        return 36;
    case 0x31: /* Unix: stream, datagram */
    case 0x32:
        return 216;
    default:
        return -1;
    }
}

static enum proxy_result parse_v2_proxied(struct proxy_header *h, const unsigned char *p,
                                          const char **wrong)
{
    unsigned family = p[13];
    int size = v2_address_size(family);
    if (size < 0)
        return malformed(wrong, "the address family is unknown");
    if (size == 0)
        return PROXY_COMPLETE; /* what follows cannot be understood */
    if (h->length < V2_HEAD + (size_t)size)
        return malformed(wrong, "the addresses are cut off");
    const unsigned char *a = p + V2_HEAD;
    if (family == 0x11) {
        set_v4(&h->client, a, a + 8);
        set_v4(&h->local, a + 4, a + 10);
    } else if (family == 0x21) {
        set_v6(&h->client, a, a + 32);
        set_v6(&h->local, a + 16, a + 34);
    }
    h->proxied = family == 0x11 || family == 0x21;
    return check_records(p, h->length, V2_HEAD + (size_t)size, wrong);
}

static enum proxy_result parse_v2(struct proxy_header *h, struct str bytes, const char **wrong)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    if (bytes.n >= 13 && (p[12] & 0xf0) != 0x20)
        return malformed(wrong, "the version is unknown");
    if (bytes.n >= 13 && (p[12] & 0x0f) > 1)
        return malformed(wrong, "the command is unknown");
    if (bytes.n < V2_HEAD)
        return PROXY_INCOMPLETE;
    h->length = V2_HEAD + (size_t)u16_at(p + 14);
    if (h->length > PROXY_HEADER_MAX)
        return malformed(wrong, "the header is too long");
    if (bytes.n < h->length)
        return PROXY_INCOMPLETE;
    if ((p[12] & 0x0f) == 0) /* LOCAL: addresses are to be skipped */
        return PROXY_COMPLETE;
    return parse_v2_proxied(h, p, wrong);
}

/* --- both --- */

/* The bytes that are there, of those that must be. */
static bool begins_like(struct str bytes, struct str begin)
{
    size_t n = bytes.n < begin.n ? bytes.n : begin.n;
    return n == 0 || memcmp(bytes.p, begin.p, n) == 0;
}

enum proxy_result proxy_header_parse(struct proxy_header *h, struct str bytes, const char **wrong)
{
    static const struct str v1 = {"PROXY ", 6};
    static const struct str v2 = {"\r\n\r\n\0\r\nQUIT\n", 12};
    memset(h, 0, sizeof(*h));
    *wrong = NULL;
    if (begins_like(bytes, v1))
        return bytes.n < v1.n ? PROXY_INCOMPLETE : parse_v1(h, bytes, wrong);
    if (begins_like(bytes, v2))
        return bytes.n < v2.n ? PROXY_INCOMPLETE : parse_v2(h, bytes, wrong);
    return malformed(wrong, "something else comes");
}
