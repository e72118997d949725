#pragma once
/*
 * The messages of one request on one connection. Private to auth/ldap_*.
 */
#include "auth/ldap_connection.h"
#include "auth/ldap_request.h"

/* Sends the first or next message of r; false: *e, the connection is of no use. */
bool ldap_exchange_send(struct ldap_connection *c, struct ldap_request *r, struct err *e);

enum ldap_exchange_status {
    LDAP_EXCHANGE_MORE,  /* messages are to come */
    LDAP_EXCHANGE_NEXT,  /* r's next message is to be sent */
    LDAP_EXCHANGE_PAGE,  /* the same, when the loop has read the page */
    LDAP_EXCHANGE_OVER,  /* r has its answer */
    LDAP_EXCHANGE_STOP,  /* r has its answer, the rest of the server's is to be abandoned */
    LDAP_EXCHANGE_RETRY, /* the server cannot now: another may */
    LDAP_EXCHANGE_BAD,   /* what came makes no sense: the connection is of no use */
};
/* Takes in a message for r. room: bytes that it may still hold. */
enum ldap_exchange_status ldap_exchange_take(struct ldap_connection *c, struct ldap_request *r,
                                             LDAPMessage *message, size_t room);
