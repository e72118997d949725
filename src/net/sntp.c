/*
 * The offset is that of RFC 5905 8: the mean of what both ways say, so that a way that takes
 * equally long in both directions cancels out. Times on the wire count seconds since 1900 in 32
 * bits and a fraction in 32 more; the difference of two is right as long as they are no 68 years
 * apart, also across the end of an era (2036).
 */
#include "net/sntp.h"

#include "core/random.h"
#include "net/blocking.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define SINCE_1900      2208988800u /* 1970 */
#define VERSION         4
#define MODE_CLIENT     3
#define MODE_SERVER     4
#define LEAP_UNKNOWN    3
#define STRATUM_REFUSES 0
#define STRATUM_MAX     15
#define AT_STRATUM      1
#define AT_ORIGINATE    24
#define AT_RECEIVE      32
#define AT_TRANSMIT     40

static uint64_t get64(const unsigned char *p)
{
    uint64_t n = 0;
    for (int i = 0; i < 8; i++)
        n = n << 8 | p[i];
    return n;
}

static uint64_t wire_time(usec wall)
{
    uint64_t seconds = (uint64_t)(wall / USEC_SEC) + SINCE_1900;
    uint64_t fraction = ((uint64_t)(wall % USEC_SEC) << 32) / (uint64_t)USEC_SEC;
    return seconds << 32 | fraction;
}

/* a - b */
static usec wire_difference(uint64_t a, uint64_t b)
{
    int64_t difference = (int64_t)(a - b);
    int64_t seconds = difference >> 32;
    return seconds * USEC_SEC + (usec)(((uint64_t)(uint32_t)difference * (uint64_t)USEC_SEC) >> 32);
}

void sntp_question(struct sntp_question *q)
{
    memset(q->packet, 0, sizeof(q->packet));
    q->packet[0] = VERSION << 3 | MODE_CLIENT;
    q->cookie = random_u64();
    for (int i = 0; i < 8; i++)
        q->packet[AT_TRANSMIT + i] = (unsigned char)(q->cookie >> (56 - 8 * i));
    q->sent = clock_wall();
}

bool sntp_read(const struct sntp_question *q, struct str packet, usec received,
               struct sntp_answer *answer, struct err *e)
{
    const unsigned char *p = (const unsigned char *)packet.p;
    if (packet.n < SNTP_PACKET || (p[0] & 7) != MODE_SERVER || get64(p + AT_ORIGINATE) != q->cookie)
        return err_set(e, ERR_SYNTAX, "what came is no answer of a time server");
    if (p[AT_STRATUM] == STRATUM_REFUSES)
        return err_set(e, ERR_TEMP, "it refuses to answer");
    if (p[0] >> 6 == LEAP_UNKNOWN || p[AT_STRATUM] > STRATUM_MAX || get64(p + AT_TRANSMIT) == 0)
        return err_set(e, ERR_TEMP, "it does not know the time itself");
    uint64_t came = get64(p + AT_RECEIVE), left = get64(p + AT_TRANSMIT);
    usec there = wire_difference(came, wire_time(q->sent));
    usec back = wire_difference(left, wire_time(received));
    answer->ahead = there / 2 + back / 2;
    answer->uncertain = (there - back) / 2;
    return true;
}

bool sntp_ask(const struct socket_address *server, usec deadline, struct sntp_answer *answer,
              struct err *e)
{
    struct sntp_question q;
    char reply[SNTP_PACKET + 1024]; /* extensions, which say nothing here */
    int fd = socket(server->storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set_errno(e, errno, "socket");
    bool ok = connect(fd, (const struct sockaddr *)&server->storage, server->length) == 0;
    sntp_question(&q);
    ok = ok && send(fd, q.packet, sizeof(q.packet), 0) == (ssize_t)sizeof(q.packet);
    if (!ok) {
        err_set_errno(e, errno, "cannot be reached");
    } else if ((ok = blocking_wait(fd, POLLIN, -1, deadline, e))) {
        ssize_t n = recv(fd, reply, sizeof(reply), 0);
        ok = n < 0 ? err_set_errno(e, errno, "cannot be reached")
                   : sntp_read(&q, str_from(reply, (size_t)n), clock_wall(), answer, e);
    }
    close(fd);
    return ok;
}
