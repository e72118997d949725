/*
 * Autodiscover as Outlook asks for servers that are no Exchange: it posts an XML document with an
 * address, and is told IMAP, POP3 and SMTP in the schema "outlook/responseschema/2006a". A phone
 * that asks for ActiveSync is told that there is none. Newer ones ask first, in JSON, where
 * to post.
 */
#include "http/pages.h"

#include "core/clock.h"
#include "http/limits.h"

#include <jansson.h>
#include <stdlib.h>

/* The text of the first element of that name, whatever its prefix; "" : there is none. */
static struct str element_text(struct str xml, struct str name)
{
    while (xml.n > 0) {
        ptrdiff_t at = str_find(xml, name);
        if (at < 0)
            return STR("");
        char before = at > 0 ? xml.p[at - 1] : ' ';
        xml = str_skip(xml, (size_t)at + name.n);
        if ((before != '<' && before != ':') || xml.n == 0 || xml.p[0] != '>')
            continue;
        ptrdiff_t end = str_find_char(xml, '<');
        return end < 0 ? STR("") : str_trim(str_head(str_skip(xml, 1), (size_t)end - 1));
    }
    return STR("");
}

struct str outlook_address(struct str request, struct arena *a)
{
    struct str text = element_text(request, STR("EMailAddress"));
    if (text.n > HTTP_ADDRESS_MAX)
        return STR("");
    ptrdiff_t amp = str_find(text, STR("&amp;"));
    if (amp < 0)
        return arena_str(a, text);
    return arena_printf(a, "%.*s&%.*s", (int)amp, text.p,
                        STR_ARG(str_skip(text, (size_t)amp + sizeof("&amp;") - 1)));
}

static bool wants_settings(struct str request)
{
    struct str schema = element_text(request, STR("AcceptableResponseSchema"));
    return schema.n == 0 || str_find_nocase(schema, STR("/outlook/responseschema/")) >= 0;
}

static void add_protocol(struct buf *b, const struct page_facts *f, const struct offer *o)
{
    static const char *const types[] = {
        [SERVICE_IMAP] = "IMAP", [SERVICE_POP3] = "POP3", [SERVICE_SUBMISSION] = "SMTP"};
    buf_add_c(b, "<Protocol>\n");
    xml_element(b, "Type", str_from_c(types[o->protocol]));
    xml_element(b, "Server", str_from_c(f->host));
    xml_element_number(b, "Port", o->port);
    xml_element(b, "DomainRequired", STR("off"));
    xml_element(b, "LoginName", f->login);
    xml_element(b, "SPA", STR("off"));
    xml_element(b, "SSL", o->implicit ? STR("on") : STR("off"));
    xml_element(b, "Encryption", o->implicit ? STR("SSL") : STR("TLS"));
    xml_element(b, "AuthRequired", STR("on"));
    if (o->protocol == SERVICE_SUBMISSION) {
        xml_element(b, "UsePOPAuth", STR("on"));
        xml_element(b, "SMTPLast", STR("off"));
    }
    buf_add_c(b, "</Protocol>\n");
}

/* Of each protocol the best: Outlook takes the first and cannot choose. */
static void add_account(struct buf *b, const struct page_facts *f)
{
    buf_add_c(b, "<Account>\n");
    xml_element(b, "AccountType", STR("email"));
    xml_element(b, "Action", STR("settings"));
    for (size_t i = 0; i < f->count; i++)
        if (i == 0 || f->offers[i - 1].protocol != f->offers[i].protocol)
            add_protocol(b, f, &f->offers[i]);
    buf_add_c(b, "</Account>\n");
}

static void add_error(struct buf *b, unsigned code, const char *text)
{
    buf_printf(b, "<Error Time=\"%lld\" Id=\"1\">\n", (long long)(clock_wall() / USEC_SEC));
    xml_element_number(b, "ErrorCode", code);
    xml_element(b, "Message", str_from_c(text));
    buf_add_c(b, "<DebugData/>\n</Error>\n");
}

void page_outlook(const struct page_facts *f, struct str request, struct page *page)
{
    struct buf *b = &page->body;
    bool settings = wants_settings(request) && f->address.n > 0;
    page->type = "text/xml; charset=utf-8";
    buf_add_c(b, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Autodiscover xmlns=\"http://"
                 "schemas.microsoft.com/exchange/autodiscover/responseschema/2006\">\n");
    buf_printf(b, "<Response%s>\n",
               settings ? " xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/outlook/"
                          "responseschema/2006a\""
                        : "");
    if (settings) {
        buf_add_c(b, "<User>\n");
        xml_element(b, "DisplayName", f->name);
        buf_add_c(b, "</User>\n");
        add_account(b, f);
    } else if (f->address.n == 0) {
        add_error(b, 600, "An address of a domain of this server is needed");
    } else {
        add_error(b, 601, "There are only the settings for Outlook here");
    }
    buf_add_c(b, "</Response>\n</Autodiscover>\n");
}

/* What a URL is made of must not end its host early. */
static bool is_host_name(struct str host)
{
    for (size_t i = 0; i < host.n; i++) {
        char c = char_lower(host.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'))
            return false;
    }
    return host.n > 0 && host.n <= HTTP_HOST_MAX;
}

void page_outlook_json(const struct page_facts *f, const struct http_request *r, struct page *page)
{
    struct str protocol = http_query_value(r, f->arena, STR("Protocol"));
    json_t *json;
    page->type = "application/json; charset=utf-8";
    if (str_equal_nocase(protocol, STR("AutodiscoverV1"))) {
        struct str host = is_host_name(r->host) ? r->host : str_from_c(f->host);
        struct str url =
            arena_printf(f->arena, "https://%.*s/autodiscover/autodiscover.xml", STR_ARG(host));
        json = json_pack("{s:s, s:s%}", "Protocol", "AutodiscoverV1", "Url", url.p, url.n);
    } else {
        page->status = 400;
        json = json_pack("{s:s, s:s}", "ErrorCode", "InvalidProtocol", "ErrorMessage",
                         "AutodiscoverV1 is the only protocol here");
    }
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    buf_add_c(&page->body, text ? text : "{}");
    free(text);
    json_decref(json);
}
