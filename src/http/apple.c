/*
 * A profile for Apple's mail on iPhone, iPad and Mac: one account with IMAP (or POP3) and SMTP. It
 * has no password; the device asks for it. The identifiers are made of the address, so that a
 * profile that is loaded again replaces the one before. It is not signed, and the device says so.
 */
#include "http/pages.h"

#include <openssl/evp.h>

static void add_key(struct buf *b, const char *key)
{
    xml_element(b, "key", str_from_c(key));
}

static void add_string(struct buf *b, const char *key, struct str value)
{
    add_key(b, key);
    xml_element(b, "string", value);
}

static void add_number(struct buf *b, const char *key, unsigned value)
{
    add_key(b, key);
    xml_element_number(b, "integer", value);
}

static void add_flag(struct buf *b, const char *key, bool value)
{
    add_key(b, key);
    buf_add_c(b, value ? "<true/>\n" : "<false/>\n");
}

/* A name-based UUID in its form of version 5 (RFC 9562 5.5), of what and for whom. */
static struct str uuid_of(const struct page_facts *f, const char *what)
{
    unsigned char d[EVP_MAX_MD_SIZE] = {0};
    struct str name = arena_printf(f->arena, "%s %s %.*s", what, f->host, STR_ARG(f->address));
    EVP_Digest(name.p, name.n, d, NULL, EVP_sha256(), NULL);
    return arena_printf(f->arena,
                        "%02X%02X%02X%02X-%02X%02X-5%01X%02X-%02X%02X-%02X%02X%02X%02X%02X%02X",
                        d[0], d[1], d[2], d[3], d[4], d[5], d[6] & 0x0fu, d[7],
                        (d[8] & 0x3fu) | 0x80u, d[9], d[10], d[11], d[12], d[13], d[14], d[15]);
}

static const struct offer *best(const struct page_facts *f, int protocol)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->offers[i].protocol == protocol)
            return &f->offers[i];
    return NULL;
}

static void add_incoming(struct buf *b, const struct page_facts *f, const struct offer *o)
{
    add_string(b, "EmailAccountType",
               o->protocol == SERVICE_IMAP ? STR("EmailTypeIMAP") : STR("EmailTypePOP"));
    add_string(b, "IncomingMailServerAuthentication", STR("EmailAuthPassword"));
    add_string(b, "IncomingMailServerHostName", str_from_c(f->host));
    add_number(b, "IncomingMailServerPortNumber", o->port);
    add_flag(b, "IncomingMailServerUseSSL", true);
    add_string(b, "IncomingMailServerUsername", f->login);
}

static void add_outgoing(struct buf *b, const struct page_facts *f, const struct offer *o)
{
    add_string(b, "OutgoingMailServerAuthentication", STR("EmailAuthPassword"));
    add_string(b, "OutgoingMailServerHostName", str_from_c(f->host));
    add_number(b, "OutgoingMailServerPortNumber", o->port);
    add_flag(b, "OutgoingMailServerUseSSL", true);
    add_string(b, "OutgoingMailServerUsername", f->login);
    add_flag(b, "OutgoingPasswordSameAsIncomingPassword", true);
}

static void add_identity(struct buf *b, const struct page_facts *f, const char *what,
                         const char *type)
{
    struct str uuid = uuid_of(f, what);
    add_string(b, "PayloadDisplayName", f->name);
    add_string(b, "PayloadIdentifier",
               arena_printf(f->arena, "maild.%s.%.*s", what, STR_ARG(uuid)));
    add_string(b, "PayloadType", str_from_c(type));
    add_string(b, "PayloadUUID", uuid);
    add_number(b, "PayloadVersion", 1);
}

void page_apple(const struct page_facts *f, struct page *page)
{
    const struct offer *in = best(f, SERVICE_IMAP), *out = best(f, SERVICE_SUBMISSION);
    struct buf *b = &page->body;
    if (!in)
        in = best(f, SERVICE_POP3);
    if (!in || !out || f->address.n == 0) {
        page->status = f->address.n == 0 ? 400 : 404;
        buf_add_c(b, f->address.n == 0
                         ? "An address of a domain of this server is needed: ?email=\n"
                         : "Mail cannot be read and sent from other machines here\n");
        return;
    }
    page->type = "application/x-apple-aspen-config";
    page->file = "mail.mobileconfig";
    buf_add_c(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                 "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
                 "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
                 "<plist version=\"1.0\">\n<dict>\n<key>PayloadContent</key>\n<array>\n<dict>\n");
    add_string(b, "EmailAccountDescription", f->name);
    add_string(b, "EmailAddress", f->address);
    add_incoming(b, f, in);
    add_outgoing(b, f, out);
    add_identity(b, f, "mail", "com.apple.mail.managed");
    buf_add_c(b, "</dict>\n</array>\n");
    add_identity(b, f, "profile", "Configuration");
    add_flag(b, "PayloadRemovalDisallowed", false);
    buf_add_c(b, "</dict>\n</plist>\n");
}
