/*
 * doctor: each listener as a client meets it: connecting, the greeting, STARTTLS or TLS from the
 * first byte, and that the certificate shown is the one of the file (after a renewal nobody may
 * have told the server). Then the SMTP port under the addresses by which others reach it: what
 * answers there need not be this server. All at the same time.
 */
#include "core/loop.h"
#include "mailctl/crew.h"
#include "mailctl/doctor.h"
#include "net/host_list.h"
#include "net/stream.h"

#define LINE_MAX  4096
#define LINES_MAX 100
#define AT_A_TIME 32
#define SMTP_PORT 25

struct visit {
    const struct site_listener *listener;
    const char *host; /* where to connect */
    bool outside;     /* under an address of the site */
    bool unreached;
    enum doctor_verdict verdict;
    struct str text, mend;
};

struct visits {
    struct doctor_job *job;
    struct visit *list;
    size_t count;
    struct certificates certificates; /* of the files */
    struct dns_tlsa *expected;        /* one of these is shown; NULL: nobody knows which */
};

static void judge(struct visits *v, struct visit *x, enum doctor_verdict verdict,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

static void judge(struct visits *v, struct visit *x, enum doctor_verdict verdict,
                  const char *format, ...)
{
    struct buf b = BUF_EMPTY;
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    x->verdict = verdict;
    x->text = arena_str(v->job->arena, buf_str(&b));
    buf_free(&b);
}

static bool is_smtp(const struct listener_settings *l)
{
    return l->protocol == SERVICE_SMTP || l->protocol == SERVICE_SUBMISSION ||
           l->protocol == SERVICE_LMTP;
}

/* --- talking --- */

static struct str greeting_of(const struct listener_settings *l)
{
    return is_smtp(l) ? STR("220") : l->protocol == SERVICE_IMAP ? STR("* OK") : STR("+OK");
}

/* The last line of a reply; *found: one of its lines has the word. */
SUSPENDS static bool read_smtp_reply(struct visits *v, struct stream *s, struct str word,
                                     bool *found, struct str *last, struct err *e)
{
    for (size_t i = 0; i < LINES_MAX; i++) {
        doctor_limit(s, v->job->deadline);
        if (!stream_read_line(s, LINE_MAX, last, NULL, e))
            return false;
        if (word.n > 0 && str_equal_nocase(str_trim(str_skip(*last, 4)), word))
            *found = true;
        if (last->n < 4 || last->p[3] != '-')
            return true;
    }
    return err_set(e, ERR_LIMIT, "a reply without an end");
}

/* The command that begins TLS; its answer is there when this returns. */
SUSPENDS static bool ask_for_tls(struct visits *v, struct stream *s,
                                 const struct listener_settings *l, struct err *e)
{
    struct str line;
    bool offered = false;
    if (is_smtp(l)) {
        bool ok = stream_printf(s, e, "%s doctor.invalid\r\n",
                                l->protocol == SERVICE_LMTP ? "LHLO" : "EHLO") &&
                  stream_flush(s, e) && read_smtp_reply(v, s, STR("STARTTLS"), &offered, &line, e);
        if (!ok)
            return false;
        if (!offered)
            return err_set(e, ERR_PERM, "it does not offer STARTTLS");
        return stream_printf(s, e, "STARTTLS\r\n") && stream_flush(s, e) &&
               read_smtp_reply(v, s, STR(""), &offered, &line, e) &&
               (str_starts_with(line, STR("220")) ||
                err_set(e, ERR_PERM, "STARTTLS: %.*s", STR_ARG(line)));
    }
    bool imap = l->protocol == SERVICE_IMAP;
    struct str wanted = imap ? STR("a OK") : STR("+OK");
    return stream_printf(s, e, imap ? "a STARTTLS\r\n" : "STLS\r\n") && stream_flush(s, e) &&
           stream_read_line(s, LINE_MAX, &line, NULL, e) &&
           (str_starts_with(line, wanted) ||
            err_set(e, ERR_PERM, "it refuses TLS: %.*s", STR_ARG(line)));
}

SUSPENDS static bool begin_tls(struct visits *v, struct visit *x, struct stream *s, struct err *e)
{
    const char *name = v->job->doctor->site.hostname;
    const struct tls_expectation any = {
        .check = TLS_CHECK_NOTHING, .sni = name, .names = &name, .name_count = 1};
    const struct tls_expectation same = {.check = TLS_CHECK_DANE,
                                         .sni = name,
                                         .names = &name,
                                         .name_count = 1,
                                         .tlsa = v->expected,
                                         .tlsa_count = v->certificates.count};
    doctor_limit(s, v->job->deadline);
    if (!v->job->doctor->tls)
        return err_set(e, ERR_PERM, "no TLS here to try it with");
    if (stream_start_tls_expecting(s, v->job->doctor->tls,
                                   v->expected && !x->outside ? &same : &any, e))
        return true;
    if (stream_tls_verdict(s) == TLS_NO_RECORD_FITS)
        return err_set(e, ERR_EXISTS, "it shows another certificate than the file has");
    return false;
}

SUSPENDS static bool read_greeting(struct visits *v, struct visit *x, struct stream *s,
                                   struct err *e)
{
    const struct listener_settings *l = x->listener->settings;
    struct str line;
    bool ignored;
    bool ok = is_smtp(l) ? read_smtp_reply(v, s, STR(""), &ignored, &line, e)
                         : stream_read_line(s, LINE_MAX, &line, NULL, e);
    if (!ok)
        return err_prefix(e, "no greeting");
    if (!str_starts_with(line, greeting_of(l)))
        return err_set(e, ERR_PERM, "it says: %.*s", STR_ARG(str_head(line, 100)));
    if (!is_smtp(l))
        return true;
    struct str rest = str_skip(line, 4), host = str_word(&rest);
    return str_equal_nocase(host, str_from_c(v->job->doctor->site.hostname)) ||
           err_set(e, ERR_EXISTS, "it greets as %.*s, not as %s", STR_ARG(str_head(host, 100)),
                   v->job->doctor->site.hostname);
}

SUSPENDS static bool talk(struct visits *v, struct visit *x, struct stream *s, struct err *e)
{
    const struct listener_settings *l = x->listener->settings;
    if (l->tls == SERVICE_TLS_IMPLICIT && !begin_tls(v, x, s, e))
        return false;
    if (l->protocol == SERVICE_HTTP) /* the client speaks first */
        return true;
    if (!read_greeting(v, x, s, e))
        return false;
    return l->tls != SERVICE_TLS_STARTTLS || (ask_for_tls(v, s, l, e) && begin_tls(v, x, s, e));
}

/* --- one --- */

static void tell_unreached(struct visits *v, struct visit *x, const struct err *e)
{
    x->unreached = true;
    if (x->outside) {
        judge(v, x, DOCTOR_WARN, "nobody answers there: %s", e->text);
        x->mend = STR("open the port in the firewall, or forward it on the router; a router may "
                      "only not let you in from here: try from elsewhere");
    } else {
        judge(v, x, DOCTOR_BAD, "nobody answers: %s", e->text);
    }
}

static void visit_one(void *arg, size_t i)
{
    struct visits *v = arg;
    struct visit *x = &v->list[i];
    const struct listener_settings *l = x->listener->settings;
    struct err e;
    x->text = x->mend = STR("");
    if (host_list_has(&l->proxy_protocol_from, x->listener->host[0] ? x->host : "unix")) {
        judge(v, x, DOCTOR_SKIPPED, "it waits for a header of the PROXY protocol from here");
        return;
    }
    struct stream *s = stream_connect(v->job->doctor->loop, x->host, x->listener->port, NULL,
                                      v->job->deadline, &e);
    if (!s) {
        tell_unreached(v, x, &e);
        return;
    }
    doctor_limit(s, v->job->deadline);
    if (talk(v, x, s, &e)) {
        static const char *const ways[] = {"", ", STARTTLS works", ", TLS works"};
        judge(v, x, DOCTOR_GOOD, "it answers%s", ways[l->tls]);
    } else if (e.kind == ERR_EXISTS) {
        judge(v, x, DOCTOR_WARN, "%s", e.text);
        x->mend = x->outside ? STR("mail for you may go to another server: see to where the port "
                                   "is forwarded")
                             : STR("mailctl reload");
    } else {
        judge(v, x, DOCTOR_BAD, "%s", e.text);
    }
    stream_close(s);
}

/* --- all --- */

static void add_visit(struct visits *v, const struct site_listener *l, const char *host,
                      bool outside)
{
    v->list[v->count++] = (struct visit){.listener = l, .host = host, .outside = outside};
}

static const char *near_host(struct arena *a, const struct site_listener *l)
{
    if (!l->host[0])
        return l->address; /* unix:... */
    if (strcmp(l->host, "*") == 0 || strcmp(l->host, "0.0.0.0") == 0)
        return "127.0.0.1";
    if (strcmp(l->host, "::") == 0)
        return "::1";
    return arena_c(a, str_from_c(l->host));
}

static void list_visits(struct visits *v)
{
    const struct site *s = &v->job->doctor->site;
    const struct site_listener *smtp = NULL;
    v->list = arena_array(v->job->arena, s->listener_count + s->address_count, sizeof(*v->list));
    for (size_t i = 0; i < s->listener_count; i++) {
        const struct site_listener *l = &s->listeners[i];
        add_visit(v, l, near_host(v->job->arena, l), false);
        if (l->settings->protocol == SERVICE_SMTP && l->outside && (!smtp || l->port == SMTP_PORT))
            smtp = l;
    }
    for (size_t i = 0; smtp && i < s->address_count; i++)
        if (strcmp(s->addresses[i], smtp->host) != 0)
            add_visit(v, smtp, s->addresses[i], true);
}

static void judge_smtp_port(struct doctor_job *j)
{
    const struct site *s = &j->doctor->site;
    uint16_t other = 0;
    for (size_t i = 0; i < s->listener_count; i++) {
        if (s->listeners[i].settings->protocol != SERVICE_SMTP)
            continue;
        if (s->listeners[i].port == SMTP_PORT)
            return;
        other = s->listeners[i].port;
    }
    if (other)
        doctor_found(j, DOCTOR_WARN, "port 25",
                     "other servers find this one there only; here SMTP is on port %u", other);
    else
        doctor_found(j, DOCTOR_WARN, "port 25", "no listener takes mail from other servers");
    doctor_mend(j,
                "listener mx { protocol = smtp; address = *:25; tls = starttls }, or forward the "
                "port");
}

static void read_certificate(void *arg)
{
    struct visits *v = arg;
    const struct site *s = &v->job->doctor->site;
    struct certificates *c = &v->certificates;
    if (!site_read_certificates(s, str_from_c(s->hostname), v->job->arena, c, NULL))
        return;
    v->expected = arena_array(v->job->arena, c->count, sizeof(*v->expected));
    for (size_t i = 0; i < c->count; i++)
        v->expected[i] = c->list[i].whole;
}

static void tell_visit(struct doctor_job *j, const struct visit *x)
{
    const char *name = x->listener->settings->name;
    struct str subject = x->outside
                             ? arena_printf(j->arena, "%s from outside, %s port %u", name, x->host,
                                            x->listener->port)
                             : arena_printf(j->arena, "%s at %s", name, x->listener->address);
    doctor_found(j, x->verdict, subject.p, "%.*s", STR_ARG(x->text));
    if (x->mend.n > 0)
        doctor_mend(j, "%.*s", STR_ARG(x->mend));
}

/* The server does not run: who answers has taken its port. */
static void tell_without_server(struct doctor_job *j, const struct visits *v)
{
    size_t silent = 0;
    for (size_t i = 0; i < v->count; i++)
        silent += v->list[i].unreached;
    doctor_found(j, DOCTOR_BAD, "", "nobody answers on %zu of %zu listeners: start the server",
                 silent, v->count);
    for (size_t i = 0; i < v->count; i++) {
        const struct site_listener *l = v->list[i].listener;
        if (v->list[i].unreached)
            continue;
        doctor_found(j, DOCTOR_BAD, l->settings->name,
                     "another program has taken %s, so the server will not start", l->address);
        if (l->port)
            doctor_mend(j, "which one: ss -ltnp 'sport = :%u'; stop it", l->port);
    }
}

void doctor_ports(struct doctor_job *j)
{
    struct visits *v = ARENA_NEW(j->arena, struct visits);
    v->job = j;
    doctor_block(read_certificate, v);
    list_visits(v);
    crew_run(j->doctor->loop, v->count, AT_A_TIME, visit_one, v, DEADLINE_NONE);
    if (doctor_server_is_down(j->doctor)) {
        tell_without_server(j, v);
        return;
    }
    for (size_t i = 0; i < v->count; i++)
        tell_visit(j, &v->list[i]);
    judge_smtp_port(j);
}
