/*
 * The format that Thunderbird, Evolution, K-9 and others read (config-v1.1.xml). Without an address
 * its placeholders stand for what the client knows.
 */
#include "http/pages.h"

static void add_server(struct buf *b, const struct page_facts *f, const struct offer *o)
{
    const char *element = o->protocol == SERVICE_SUBMISSION ? "outgoingServer" : "incomingServer";
    bool local = f->settings->user_name == USER_NAME_LOCAL_PART;
    buf_printf(b, "<%s type=\"%s\">\n", element, offer_protocol(o));
    xml_element(b, "hostname", str_from_c(f->host));
    xml_element_number(b, "port", o->port);
    xml_element(b, "socketType", o->implicit ? STR("SSL") : STR("STARTTLS"));
    xml_element(b, "username", local ? STR("%EMAILLOCALPART%") : STR("%EMAILADDRESS%"));
    xml_element(b, "authentication", STR("password-cleartext")); /* inside of TLS */
    buf_printf(b, "</%s>\n", element);
}

void page_thunderbird(const struct page_facts *f, struct page *page)
{
    struct str domain = f->domain.n > 0 ? f->domain : str_from_c(f->host);
    struct buf *b = &page->body;
    page->type = "text/xml; charset=utf-8";
    buf_add_c(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<clientConfig version=\"1.1\">\n"
                 "<emailProvider id=\"");
    xml_text(b, domain);
    buf_add_c(b, "\">\n");
    xml_element(b, "domain", domain);
    xml_element(b, "displayName", f->name);
    xml_element(b, "displayShortName", f->name);
    for (size_t i = 0; i < f->count; i++)
        add_server(b, f, &f->offers[i]);
    buf_add_c(b, "</emailProvider>\n</clientConfig>\n");
}
