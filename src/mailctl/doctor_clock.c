/*
 * doctor: the clock. What the kernel says (adjtimex(2): somebody keeps it right, and how well) is
 * hearsay: in a container, or where what keeps it right is itself wrong, it says nothing of the
 * time. So a time server is asked, too. And the time zone, by which people read the time.
 */
#include "core/disk.h"
#include "mailctl/doctor_judge.h"
#include "net/host_port.h"
#include "net/sntp.h"

#include <stdlib.h>
#include <sys/timex.h>
#include <time.h>

#define TIME_SERVER "pool.ntp.org"
/* Beyond the first people notice, beyond the second programs do: Kerberos has 5 minutes, signatures
 * and passwords that change with the time have less. */
#define APART_WARN (2 * USEC_SEC)
#define APART_BAD  (60 * USEC_SEC)

/* --- what the kernel says --- */

enum doctor_verdict doctor_judge_clock(int state, int status, struct str *text)
{
    if (state < 0) {
        *text = STR("the kernel does not tell whether somebody keeps the clock right");
        return DOCTOR_SKIPPED;
    }
    if (state == TIME_ERROR || (status & STA_UNSYNC)) {
        *text = STR("nobody keeps the clock right: it drifts");
        return DOCTOR_WARN;
    }
    *text = STR("the clock is kept right");
    return DOCTOR_GOOD;
}

static void judge_kernel(struct doctor_job *j)
{
    struct timex t = {.modes = 0};
    struct str text;
    int state = adjtimex(&t);
    enum doctor_verdict v = doctor_judge_clock(state, t.status, &text);
    doctor_found(j, v, "", "%.*s", STR_ARG(text));
    if (v == DOCTOR_WARN)
        doctor_mend(j, "apt install chrony (or timedatectl set-ntp true)");
}

/* --- what others say --- */

struct question {
    const char **addresses; /* numeric */
    size_t count;
    uint16_t port;
    usec deadline;
    struct sntp_answer answer;
    bool ok;
    struct err error;
};

/* One address after the other, each with its share of the time. */
static void ask_addresses(void *arg)
{
    struct question *q = arg;
    for (size_t i = 0; !q->ok && i < q->count; i++) {
        struct socket_address address;
        usec now = clock_monotonic(), share = (q->deadline - now) / (usec)(q->count - i);
        q->ok = share > 0 &&
                socket_address_parse(&address, str_from_c(q->addresses[i]), q->port, &q->error) &&
                sntp_ask(&address, now + share, &q->answer, &q->error);
    }
}

enum doctor_verdict doctor_judge_offset(usec ahead, usec uncertain)
{
    usec apart = (ahead < 0 ? -ahead : ahead) - uncertain;
    return apart > APART_BAD ? DOCTOR_BAD : apart > APART_WARN ? DOCTOR_WARN : DOCTOR_GOOD;
}

static void judge_offset(struct doctor_job *j, const char *server, const struct sntp_answer *answer)
{
    enum doctor_verdict v = doctor_judge_offset(answer->ahead, answer->uncertain);
    double seconds = (double)answer->ahead / USEC_SEC;
    if (v == DOCTOR_GOOD) {
        doctor_found(j, v, server, "the clock is the same as there, to %.3f s",
                     seconds < 0 ? -seconds : seconds);
        return;
    }
    doctor_found(j, v, server, "the clock is %.1f s %s that of this time server",
                 seconds < 0 ? -seconds : seconds, seconds < 0 ? "ahead of" : "behind");
    doctor_mend(j, "apt install chrony; chronyc makestep (or timedatectl set-ntp true)");
}

SUSPENDS static bool find_server(struct doctor_job *j, struct str host, struct question *q)
{
    struct dns_answer answer;
    struct doctor *d = j->doctor;
    if (host_is_numeric(host)) {
        q->addresses = arena_array(j->arena, 1, sizeof(*q->addresses));
        q->addresses[q->count++] = arena_c(j->arena, host);
        return true;
    }
    if (!d->dns || d->dns_dead)
        return err_set(&q->error, ERR_TEMP, "DNS does not answer");
    enum dns_status status =
        dns_addresses_until(d->dns, host, j->deadline, j->arena, &answer, &q->error);
    if (status == DNS_NOT_FOUND)
        err_set(&q->error, ERR_NOT_FOUND, "it has no address");
    if (status != DNS_FOUND)
        return false;
    q->addresses = arena_array(j->arena, answer.count, sizeof(*q->addresses));
    for (; q->count < answer.count; q->count++)
        q->addresses[q->count] = answer.addresses[q->count].text;
    return true;
}

SUSPENDS static void ask_server(struct doctor_job *j)
{
    const char *given = option(j->doctor->arguments, "--time-server");
    const char *server = given ? given : TIME_SERVER;
    struct question q = {.port = SNTP_PORT, .deadline = j->deadline};
    struct str host;
    if (!host_port_parse(str_from_c(server), &host, &q.port))
        err_set(&q.error, ERR_SYNTAX, "expected HOST or HOST:PORT");
    else if (find_server(j, host, &q))
        doctor_block(ask_addresses, &q);
    if (q.ok)
        judge_offset(j, server, &q.answer);
    else
        doctor_found(j, DOCTOR_SKIPPED, server,
                     "the clock could not be compared with this time server: %s", q.error.text);
}

/* --- the zone --- */

static void judge_zone(struct doctor_job *j)
{
    const char *zone = getenv("TZ");
    struct stat st;
    struct tm tm;
    time_t now = (time_t)(clock_wall() / USEC_SEC);
    bool utc = !zone || strncmp(zone, "UTC", 3) == 0 || strncmp(zone, "GMT", 3) == 0;
    const char *name = zone && zone[0] == ':' ? zone + 1 : zone;
    const char *path = !zone || !name[0] ? "/etc/localtime"
                       : name[0] == '/'  ? name
                                         : arena_printf(j->arena, "/usr/share/zoneinfo/%s", name).p;
    /* "CET-1CEST" is a zone without a file; and a system that names none has UTC */
    bool rule = zone && strpbrk(zone, "0123456789") && !strchr(zone, '/');
    if (!utc && !rule && !disk_stat(path, &st, NULL)) {
        doctor_found(j, DOCTOR_WARN, "time zone", "%s is not there: times are shown in UTC", path);
        doctor_mend(j, "timedatectl set-timezone Europe/Berlin (or yours)");
        return;
    }
    if (localtime_r(&now, &tm))
        doctor_found(j, DOCTOR_GOOD, "time zone", "%s, %+.1f hours from UTC", tm.tm_zone,
                     (double)tm.tm_gmtoff / 3600);
}

void doctor_clock(struct doctor_job *j)
{
    judge_kernel(j);
    ask_server(j);
    judge_zone(j);
}
