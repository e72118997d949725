/*
 * Each line is a keyword and its parameters; what is unknown or malformed is as good as not said.
 * Numbers that do not fit are no limit. A server that says AUTH in two lines (some do, for clients
 * of another age) has the mechanisms of both.
 */
#include "smtp/client_hello.h"

/* Mechanisms that are kept: more than anyone has. */
#define MECHANISMS_MAX 1000

void client_hello_clear(struct client_hello *h)
{
    struct buf mechanisms = h->mechanisms;
    buf_clear(&mechanisms);
    *h = (struct client_hello){.mechanisms = mechanisms};
}

void client_hello_free(struct client_hello *h)
{
    buf_free(&h->mechanisms);
}

/* SIZE without a number, and 0, set no limit (RFC 1870 3). */
static void take_size(struct client_hello *h, struct str parameters)
{
    if (!str_to_u64(str_trim(parameters), &h->size_max))
        h->size_max = 0;
}

static void take_deliver_by(struct client_hello *h, struct str parameters)
{
    struct str options = str_trim(parameters);
    if (!str_to_u32(str_split(&options, ','), &h->deliver_by_min))
        h->deliver_by_min = 0;
}

static void take_auth(struct client_hello *h, struct str parameters)
{
    if (h->mechanisms.n + parameters.n > MECHANISMS_MAX)
        return;
    buf_add_char(&h->mechanisms, ' ');
    buf_add_str(&h->mechanisms, parameters);
}

/* RFC 9422 3: "NAME=value", unknown names are passed over, and 0 is no value that could be kept. */
static void take_limits(struct client_hello *h, struct str parameters)
{
    for (struct str word; (word = str_word(&parameters)).p;) {
        struct str name = str_split(&word, '=');
        uint32_t value;
        if (!word.p || word.n > 6 || !str_to_u32(word, &value) || value == 0)
            continue;
        if (str_equal_nocase(name, STR("MAILMAX")))
            h->mails_max = value;
        else if (str_equal_nocase(name, STR("RCPTMAX")))
            h->recipients_max = value;
        else if (str_equal_nocase(name, STR("RCPTDOMAINMAX")))
            h->domains_max = value;
    }
}

static const struct {
    const char *keyword;
    enum client_extension extension;
    void (*take)(struct client_hello *h, struct str parameters);
} known[] = {
    {"PIPELINING", CLIENT_PIPELINING, NULL},
    {"SIZE", CLIENT_SIZE, take_size},
    {"8BITMIME", CLIENT_8BITMIME, NULL},
    {"SMTPUTF8", CLIENT_SMTPUTF8, NULL},
    {"STARTTLS", CLIENT_STARTTLS, NULL},
    {"AUTH", CLIENT_AUTH, take_auth},
    {"DSN", CLIENT_DSN, NULL},
    {"REQUIRETLS", CLIENT_REQUIRETLS, NULL},
    {"DELIVERBY", CLIENT_DELIVERBY, take_deliver_by},
    {"MT-PRIORITY", CLIENT_MT_PRIORITY, NULL},
    {"CHUNKING", CLIENT_CHUNKING, NULL},
    {"LIMITS", CLIENT_LIMITS, take_limits},
};

static void take_line(struct client_hello *h, struct str line)
{
    struct str keyword = str_word(&line);
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (!str_equal_nocase(keyword, str_from_c(known[i].keyword)))
            continue;
        h->extensions |= known[i].extension;
        if (known[i].take)
            known[i].take(h, line);
        return;
    }
}

void client_hello_parse(struct client_hello *h, struct str lines)
{
    while (lines.n > 0)
        take_line(h, str_split(&lines, '\n'));
}
