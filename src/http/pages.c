/*
 * Which page a path is, and what it is made of. The address comes from the query or the body; where
 * there is none, the domain is that of the host name that the client asked (autoconfig.DOMAIN).
 * Domains that are not ours get 404.
 */
#include "http/pages.h"

#include "auth/directory.h"
#include "http/limits.h"
#include "mime/address.h"

static const char *const user_names[] = {"address", "local-part", NULL};

#define FIELD(name) offsetof(struct autoconfig_settings, name)
static const struct setting settings[] = {
    {"host", SETTING_STRING, FIELD(host), "", 0, 0, NULL,
     "The name of this server that clients are told, which its certificate has to have. Empty: "
     "hostname."},
    {"display_name", SETTING_STRING, FIELD(display_name), "", 0, 0, NULL,
     "What clients call the account. Empty: the domain."},
    {"user_name", SETTING_CHOICE, FIELD(user_name), "address", 0, 0, user_names,
     "What users log in as: their whole address, or its local part."},
    {0},
};
const struct settings_block autoconfig_settings_block = {
    .name = "autoconfig",
    .help = "What mail clients are told that set themselves up, on listeners with protocol http "
            "(docs/autoconfig.md).",
    .size = sizeof(struct autoconfig_settings),
    .settings = settings,
};

enum page_kind { PAGE_PEOPLE, PAGE_THUNDERBIRD, PAGE_OUTLOOK, PAGE_OUTLOOK_JSON, PAGE_APPLE };

/* Clients do not agree on upper and lower case. */
static const struct {
    struct str path;
    enum page_kind kind;
} pages[] = {
    {{"/", 1}, PAGE_PEOPLE},
#define PATH(text)                                                                                 \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }
    {PATH("/mail/config-v1.1.xml"), PAGE_THUNDERBIRD},
    {PATH("/.well-known/autoconfig/mail/config-v1.1.xml"), PAGE_THUNDERBIRD},
    {PATH("/autodiscover/autodiscover.xml"), PAGE_OUTLOOK},
    {PATH("/autodiscover/autodiscover.json"), PAGE_OUTLOOK_JSON},
    {PATH("/autodiscover/autodiscover.json/v1.0"), PAGE_OUTLOOK_JSON},
    {PATH("/mail.mobileconfig"), PAGE_APPLE},
    {PATH("/.well-known/mail.mobileconfig"), PAGE_APPLE},
};

static bool find_page(struct str path, enum page_kind *kind)
{
    static const struct str v1 = {"/autodiscover/autodiscover.json/v1.0/", 37};
    for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
        *kind = pages[i].kind;
        if (str_equal_nocase(path, pages[i].path))
            return true;
    }
    *kind = PAGE_OUTLOOK_JSON; /* the address stands behind it */
    return str_equal_nocase(str_head(path, v1.n), v1);
}

static struct str address_of(enum page_kind kind, const struct http_request *r, struct str body,
                             struct arena *a)
{
    static const struct str names[] = {{"emailaddress", 12}, {"email", 5}};
    struct str text = STR("");
    if (kind == PAGE_OUTLOOK && r->method == HTTP_POST)
        return outlook_address(body, a);
    for (size_t i = 0; text.n == 0 && i < sizeof(names) / sizeof(*names); i++)
        text = http_query_value(r, a, names[i]);
    return text.n > HTTP_ADDRESS_MAX ? STR("") : text;
}

/* "autoconfig.example.org" is asked about example.org. */
static struct str domain_of_host(struct str host)
{
    static const struct str prefixes[] = {{"autoconfig.", 11}, {"autodiscover.", 13}};
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
        if (str_equal_nocase(str_head(host, prefixes[i].n), prefixes[i]))
            return str_skip(host, prefixes[i].n);
    return host;
}

static SUSPENDS enum lookup find_domain(const struct http_context *c, struct str name,
                                        struct page_facts *f)
{
    struct domain domain;
    struct err e;
    enum lookup found =
        name.n == 0 ? LOOKUP_NOT_FOUND
                    : directory_find_domain_or_parent(c->directory, name, f->arena, &domain, &e);
    if (found == LOOKUP_FOUND && (domain.kind == DOMAIN_RELAY || domain.kind == DOMAIN_SINK))
        found = LOOKUP_NOT_FOUND; /* nobody reads mail of it here */
    if (found == LOOKUP_FOUND)
        f->domain = domain.name;
    return found;
}

/* Fills in what an address says. False: it is none of ours, or cannot be told now. */
static SUSPENDS bool take_address(const struct http_context *c, struct str text,
                                  struct page_facts *f, struct page *page)
{
    struct address address;
    if (!address_parse(f->arena, text, ADDRESS_UTF8, &address, NULL)) {
        page->status = 400;
        return false;
    }
    enum lookup found = find_domain(c, address.domain, f);
    if (found != LOOKUP_FOUND) {
        page->status = found == LOOKUP_NOT_FOUND ? 404 : 503;
        return false;
    }
    f->address = address_text(f->arena, &address);
    f->login = f->settings->user_name == USER_NAME_LOCAL_PART ? address.local : f->address;
    return true;
}

static void make(enum page_kind kind, const struct page_facts *f, const struct http_request *r,
                 struct str body, struct page *page)
{
    switch (kind) {
    case PAGE_PEOPLE:
        page_people(f, page);
        break;
    case PAGE_THUNDERBIRD:
        page_thunderbird(f, page);
        break;
    case PAGE_OUTLOOK:
        page_outlook(f, body, page);
        break;
    case PAGE_OUTLOOK_JSON:
        page_outlook_json(f, r, page);
        break;
    case PAGE_APPLE:
        page_apple(f, page);
        break;
    }
}

void page_answer(const struct http_context *c, const struct service *service,
                 const struct http_request *r, struct str body, struct arena *a, struct page *page)
{
    struct offer offers[OFFERS_MAX];
    const struct autoconfig_settings *set =
        config_block(service->config, &autoconfig_settings_block);
    struct page_facts f = {.arena = a,
                           .settings = set,
                           .host = set->host[0] ? set->host : service->hostname,
                           .offers = offers,
                           .count = offers_find(service->config, offers)};
    enum page_kind kind;
    *page = (struct page){.status = 200, .type = "text/plain; charset=utf-8"};
    if (!find_page(r->path, &kind)) {
        page->status = 404;
        return;
    }
    if (r->method == HTTP_OTHER || (r->method == HTTP_POST && kind != PAGE_OUTLOOK)) {
        page->status = 405;
        return;
    }
    struct str address = address_of(kind, r, body, a);
    if (address.n > 0 && !take_address(c, address, &f, page) && kind != PAGE_OUTLOOK)
        return;
    if (address.n == 0)
        find_domain(c, domain_of_host(r->host), &f);
    if (set->display_name[0])
        f.name = str_from_c(set->display_name);
    else
        f.name = f.domain.n > 0 ? f.domain : str_from_c(f.host);
    if (page->status != 503)
        page->status = 200;
    make(kind, &f, r, body, page);
}
