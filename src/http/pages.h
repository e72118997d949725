#pragma once
/*
 * What clients are told. Private to http.
 */
#include "core/arena.h"
#include "core/buf.h"
#include "core/fiber.h"
#include "http/http.h"
#include "http/request.h"

/* A server that clients may be told of. */
struct offer {
    int protocol; /* enum service_protocol: IMAP, POP3 or SUBMISSION */
    uint16_t port;
    bool implicit; /* TLS from the first byte; else STARTTLS */
};
#define OFFERS_MAX 16
/* Of the listeners that other machines reach, with TLS; the better ones first. Returns how many. */
size_t offers_find(const struct config *config, struct offer list[OFFERS_MAX]);
/* "imap", "pop3", "smtp". */
const char *offer_protocol(const struct offer *o);

/* What a page is made of. */
struct page_facts {
    struct arena *arena;
    const struct autoconfig_settings *settings;
    const char *host;   /* the server's name */
    struct str domain;  /* whose users are told; "" : not known */
    struct str address; /* of the user; "" : not known */
    struct str login;   /* what he logs in as; "" : not known */
    struct str name;    /* shown for the account */
    const struct offer *offers;
    size_t count;
};

struct page {
    int status;
    const char *type;
    const char *file; /* to be saved under this name; NULL: shown */
    struct buf body;
};

/* Fills *page, whose body is the caller's. */
SUSPENDS void page_answer(const struct http_context *c, const struct service *service,
                          const struct http_request *r, struct str body, struct arena *a,
                          struct page *page);

void page_thunderbird(const struct page_facts *f, struct page *page);
void page_outlook(const struct page_facts *f, struct str request, struct page *page);
/* The address in what Outlook posts; "" : none. */
struct str outlook_address(struct str request, struct arena *a);
void page_outlook_json(const struct page_facts *f, const struct http_request *r, struct page *page);
void page_apple(const struct page_facts *f, struct page *page);
void page_people(const struct page_facts *f, struct page *page);

/* "<name>value</name>\n" with the value's markup escaped. */
void xml_element(struct buf *b, const char *name, struct str value);
void xml_element_number(struct buf *b, const char *name, unsigned value);
/* A text as it may stand in an element or a quoted attribute; control characters are left out. */
void xml_text(struct buf *b, struct str text);
