#pragma once
/*
 * Where questions wait for a thread, and how their answers get back. Private to auth/ldap_*. With
 * the hub's lock held, but for ldap_queue_post.
 */
#include "auth/ldap_hub.h"

void ldap_queue_append(struct ldap_pool *p, struct ldap_request *r, bool first);
void ldap_queue_remove(struct ldap_request *r);
/* The next one that somebody still waits for; NULL: there is none. It is the thread's. */
struct ldap_request *ldap_queue_take(struct ldap_hub *h, struct ldap_pool *p,
                                     struct ldap_thread *t);
/* All that wait end with `why`. */
void ldap_queue_fail(struct ldap_hub *h, struct ldap_pool *p, const struct err *why);
/* r has its answer, or its error, and its thread nothing more to do with it. */
void ldap_queue_count_end(struct ldap_request *r);
/* To the loop, with the reference that the caller holds. */
void ldap_queue_post(struct ldap_hub *h, struct ldap_request *r);
/* Both. */
void ldap_queue_finish(struct ldap_hub *h, struct ldap_request *r);
