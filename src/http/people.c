/*
 * The page for people, who type the settings into a client that finds nothing by itself, or load
 * the profile for Apple's mail. No scripts, nothing from elsewhere.
 */
#include "http/pages.h"

static void add_row(struct buf *b, const struct page_facts *f, const struct offer *o)
{
    static const char *const uses[] = {[SERVICE_IMAP] = "Reading mail (IMAP)",
                                       [SERVICE_POP3] = "Fetching mail (POP3)",
                                       [SERVICE_SUBMISSION] = "Sending mail (SMTP)"};
    buf_printf(b, "<tr><td>%s</td><td>%s</td><td>%u</td><td>%s</td></tr>\n", uses[o->protocol],
               f->host, o->port, o->implicit ? "SSL/TLS" : "STARTTLS");
}

void page_people(const struct page_facts *f, struct page *page)
{
    struct buf *b = &page->body;
    page->type = "text/html; charset=utf-8";
    buf_add_c(b, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                 "<meta name=\"viewport\" content=\"width=device-width\"><title>");
    xml_text(b, f->name);
    buf_add_c(b, "</title></head>\n<body>\n<h1>Settings for mail clients</h1>\n<table>\n"
                 "<tr><th>For</th><th>Server</th><th>Port</th><th>Security</th></tr>\n");
    for (size_t i = 0; i < f->count; i++)
        add_row(b, f, &f->offers[i]);
    buf_printf(b, "</table>\n<p>User name: the %s. Authentication: password.</p>\n",
               f->settings->user_name == USER_NAME_LOCAL_PART ? "part of your address before the @"
                                                              : "whole address");
    buf_add_c(b, "<form action=\"/mail.mobileconfig\"><p>iPhone, iPad, Mac: a profile for "
                 "<input type=\"email\" name=\"email\" required placeholder=\"your address\"> "
                 "<button>Load</button></p></form>\n</body></html>\n");
}
