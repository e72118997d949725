#pragma once
/*
 * One question to a time server (RFC 5905, as a client that asks once: RFC 4330).
 */
#include "core/clock.h"
#include "net/socket_address.h"

#define SNTP_PORT   123
#define SNTP_PACKET 48

struct sntp_question {
    unsigned char packet[SNTP_PACKET];
    uint64_t cookie; /* stands where a client's time would: the answer has to bring it back */
    usec sent;       /* wall clock */
};

struct sntp_answer {
    usec ahead;     /* the server's clock against ours */
    usec uncertain; /* on its way: so much it may be off */
};

void sntp_question(struct sntp_question *q);
/* received: wall clock. ERR_SYNTAX: no answer to this question; ERR_TEMP: the server refuses, or
 * does not know the time itself. Pure. */
bool sntp_read(const struct sntp_question *q, struct str packet, usec received,
               struct sntp_answer *answer, struct err *e);
/* Blocking. ERR_TIMEOUT, ERR_IO, and as sntp_read. */
bool sntp_ask(const struct socket_address *server, usec deadline, struct sntp_answer *answer,
              struct err *e);
