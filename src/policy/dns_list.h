#pragma once
/*
 * Lists of addresses in DNS (RFC 5782): who is on a list of bad senders, or of good ones, and what
 * that weighs. All lists are asked at the same time and answers are kept for a while. A list that
 * does not answer counts as one that does not name the client, and one that never answers is not
 * asked for a while: neither holds up mail.
 */
#include "core/arena.h"
#include "core/fiber.h"

struct dns;
struct dns_lists;

/* One of a rule's lists, with the answers that count. */
struct dns_list {
    struct str zone; /* lower case, without a dot at the end */
    bool any;        /* every answer that means "listed" */
    struct {
        uint8_t first, last;
    } octets[4]; /* unless any */
    int weight;
};

/* "zone", "zone*-2", "zone=127.0.0.2..11*3": weight 1 and every answer where nothing is said. Each
 * number of the answer may be a range. */
bool dns_list_parse(struct str text, struct arena *a, struct dns_list *list, struct err *e);

struct dns_lists *dns_lists_new(void);
/* NULL is allowed. */
void dns_lists_free(struct dns_lists *l);

struct dns_list_result {
    int score;
    struct str zones;  /* "zen.example*3, white.example*-2": those that name it */
    struct str listed; /* the zone with the highest weight above 0, or "" */
    size_t failed;     /* lists that gave no answer */
};
/* Waits no longer than the deadline. False when the address is not numeric. */
SUSPENDS bool dns_lists_ask(struct dns_lists *l, struct dns *d, const char *address,
                            const struct dns_list *lists, size_t count, usec deadline,
                            struct arena *a, struct dns_list_result *result);
/* The same with a domain instead of an address. */
SUSPENDS bool dns_lists_ask_name(struct dns_lists *l, struct dns *d, struct str name,
                                 const struct dns_list *lists, size_t count, usec deadline,
                                 struct arena *a, struct dns_list_result *result);

/* What the list says about its entry (TXT), in printable ASCII, one line, cut; "" when there is
 * nothing by the deadline. */
SUSPENDS struct str dns_lists_reason(struct dns *d, const char *address, struct str zone,
                                     usec deadline, struct arena *a);

/* Lists that do not answer now, for the status; fn is called for each. */
void dns_lists_each_silent(struct dns_lists *l, usec now,
                           void (*fn)(void *arg, struct str zone, usec until), void *arg);
