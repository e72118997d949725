#pragma once
/*
 * Who answers questions to DNS, and a question on its way. Private to net/dns.c.
 */
#include "net/dns.h"

struct dns_resolver;
struct ub_result;

/* Checks the settings, which are copied, and makes nothing yet. *e: what is wrong with them. */
struct dns_resolver *dns_resolver_new(const struct dns_settings *s, struct err *e);
/* Makes what there is to make, with the files; without it that happens at the first question.
 * Blocking, and may be called on a worker. */
bool dns_resolver_make(struct dns_resolver *r, struct err *e);
/* Questions under way keep it. NULL is allowed. */
void dns_resolver_unref(struct dns_resolver *r);
/* One of these settings, made now, would be the same. Blocking. */
bool dns_resolver_is_like(const struct dns_resolver *r, const struct dns_settings *s);
/* It has a trust anchor. */
bool dns_resolver_validates(const struct dns_resolver *r);

struct dns_request {
    struct dns_resolver *resolver;
    struct cond done_cond;
    bool done, abandoned;
    int id;
    int error; /* of libunbound; 0: result is there */
    struct ub_result *result;
};
struct dns_request *dns_request_new(struct dns_resolver *r, struct loop *l, const char *name,
                                    int type);
/* The waiter needs it no more, answered or not. */
void dns_request_release(struct dns_request *q);
