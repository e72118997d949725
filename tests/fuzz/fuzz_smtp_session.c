/*
 * Whole sessions of SMTP, submission and LMTP: the server in this process, its client at the other
 * end of a pair of sockets; the queue, the access policy and the logins are replaced by functions
 * of the same names here. The first byte chooses the protocol, the second where what the client
 * sends is cut in two packets. Each input is played whole and cut: the answers may not depend on
 * it, and what reaches the queue must be harmless.
 */
#include "core/log.h"
#include "core/loop.h"
#include "net/listener.h"
#include "queue/queue_internal.h"
#include "queue/recipient.h"
#include "smtp/smtp_server.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* --- the queue: what it is given --- */

/* Without rules that rewrite addresses. */
static struct queue_config queue_config;
static struct queue queue = {.config = &queue_config};

static struct buf accepted; /* texts of the messages of this session */

static void check_address(struct str address)
{
    for (size_t i = 0; i < address.n; i++)
        check((unsigned char)address.p[i] >= ' ' && address.p[i] != 127);
}

/* Fields, folded or not. */
static void check_prefix(struct str prefix)
{
    check(prefix.n > 0 && prefix.p[prefix.n - 1] == '\n');
    check(memchr(prefix.p, '\r', prefix.n) == NULL && memchr(prefix.p, 0, prefix.n) == NULL);
    struct str rest = str_head(prefix, prefix.n - 1), line;
    while (line = str_split(&rest, '\n'), line.p != NULL)
        check(line.n > 0 &&
              (line.p[0] == '\t' || line.p[0] == ' ' || str_find_char(line, ':') > 0));
}

static void check_text(struct str text)
{
    check(memchr(text.p, '\r', text.n) == NULL && memchr(text.p, 0, text.n) == NULL);
    check(text.n == 0 || text.p[text.n - 1] == '\n');
}

bool queue_accept(struct queue *q, struct envelope *envelope, struct spool *message,
                  bool per_recipient, struct err *e)
{
    (void)q;
    (void)per_recipient;
    (void)e;
    check(envelope->recipient_count > 0);
    check_address(envelope->sender);
    for (size_t i = 0; i < envelope->recipient_count; i++) {
        struct envelope_recipient *r = &envelope->recipients[i];
        check_address(r->address);
        check_address(r->original_recipient);
        check(r->address.n > 0 && r->route);
        r->accepted = r->address.p[0] != 'f';
        if (!r->accepted) {
            r->error = ARENA_NEW(r->route->arena, struct err);
            err_set(r->error, ERR_TEMP, "the disk is full");
        }
    }
    check_prefix(envelope->prefix);
    struct str text = spool_memory(message);
    if (text.p)
        check_text(text);
    buf_add_str(&accepted, text);
    return true;
}

size_t queue_count_held(struct queue *q, struct str login)
{
    (void)q;
    return login.n;
}

size_t queue_retry_domain(struct queue *q, struct str domain, bool subdomains, size_t *started)
{
    (void)q;
    *started = subdomains;
    return domain.n;
}

void recipient_check_here(struct queue *q, const struct recipient_question *question,
                          struct arena *a, struct recipient_answer *answer)
{
    (void)q;
    bool ours = str_ends_with_nocase(question->address, STR("@example.test")) ||
                str_equal_nocase(question->address, STR("postmaster"));
    bool later = str_starts_with(question->address, STR("later"));
    bool taken = (ours || question->may_relay) && !later;
    *answer = (struct recipient_answer){.fate = taken   ? FATE_ACCEPT
                                                : later ? FATE_LATER
                                                        : FATE_REFUSE,
                                        .code = taken   ? 250
                                                : later ? 451
                                                        : 550,
                                        .enhanced = taken   ? "2.1.5"
                                                    : later ? "4.3.0"
                                                            : "5.7.1",
                                        .text = STR("so it is"),
                                        .route = ARENA_NEW(a, struct route)};
    answer->route->arena = a;
    answer->route->kind = ours ? ROUTE_ACCEPT : ROUTE_RELAY;
}

bool recipient_ask_there(struct queue *q, const struct recipient_answer *answer)
{
    (void)q;
    return answer->route->kind == ROUTE_ACCEPT;
}

void recipient_expect(struct queue *q, const struct recipient_answer *like, struct str address)
{
    (void)q;
    (void)like;
    (void)address;
}

void recipient_check_there(struct queue *q, const struct recipient_question *question,
                           struct arena *a, struct recipient_answer *answer)
{
    (void)q;
    (void)question;
    (void)a;
    (void)answer;
}

void recipient_check(struct queue *q, const struct recipient_question *question, struct arena *a,
                     struct recipient_answer *answer)
{
    recipient_check_here(q, question, a, answer);
}

/* --- the access policy: has no rules --- */

bool policy_has_rules(const struct policy *p, const struct policy_session *session,
                      enum policy_stage stage, enum service_protocol protocol)
{
    (void)p;
    (void)session;
    (void)stage;
    (void)protocol;
    return false;
}

void policy_check(struct policy *p, struct policy_session **session, enum policy_stage stage,
                  const struct policy_facts *facts, struct arena *a, struct policy_verdict *v)
{
    (void)p;
    (void)session;
    (void)stage;
    (void)facts;
    (void)a;
    *v = (struct policy_verdict){.action = POLICY_PASS};
}

bool policy_delay(struct policy *p, usec delay, struct err *e)
{
    (void)p;
    (void)delay;
    (void)e;
    return true;
}

usec policy_greeting_wait(const struct policy *p, enum service_protocol protocol,
                          const char *address)
{
    (void)p;
    (void)protocol;
    (void)address;
    return 0;
}

bool policy_is_trusted(const struct policy *p, const char *address)
{
    (void)p;
    (void)address;
    return false;
}

bool policy_may_relay(const struct policy *p, const char *address)
{
    (void)p;
    (void)address;
    return false;
}

void policy_look_up_name(struct policy *p, struct policy_session **session, const char *address)
{
    (void)p;
    (void)session;
    (void)address;
}

enum client_name_status policy_session_name(const struct policy_session *session, const char **name)
{
    (void)session;
    *name = NULL;
    return CLIENT_NAME_UNASKED;
}

void policy_session_tags(const struct policy_session *session, struct buf *header)
{
    (void)session;
    (void)header;
}

void policy_session_login(struct policy_session *session)
{
    (void)session;
}

void policy_session_message_end(struct policy_session *session)
{
    (void)session;
}

void policy_session_free(struct policy_session *session)
{
    (void)session;
}

/* --- logins: the password is "ok" --- */

struct sasl {
    struct account account;
    unsigned rounds; /* of challenges */
};

int64_t auth_failures_max(const struct auth *a)
{
    (void)a;
    return 3;
}

void auth_limit_sessions(const struct auth *a, const struct account *account,
                         struct session_entry *entry)
{
    (void)a;
    (void)account;
    (void)entry;
}

const char *sasl_mechanisms(struct auth *a, const struct auth_peer *peer)
{
    (void)a;
    (void)peer;
    return "PLAIN LOGIN";
}

struct sasl *sasl_new(struct auth *a, const struct auth_peer *peer)
{
    (void)a;
    (void)peer;
    struct sasl *s = calloc(1, sizeof(*s));
    s->account.login = STR("alice@example.test");
    return s;
}

void sasl_free(struct sasl *s)
{
    free(s);
}

enum sasl_status sasl_step(struct sasl *s, struct str response, struct str *challenge,
                           struct err *e)
{
    *challenge = STR("more");
    if (s->rounds > 0) {
        s->rounds--;
        return SASL_STATUS_CONTINUE;
    }
    if (str_equal(response, STR("ok")))
        return SASL_STATUS_DONE;
    err_set(e, response.n > 0 ? ERR_DENIED : ERR_SYNTAX, "no");
    return SASL_STATUS_FAILED;
}

enum sasl_status sasl_start(struct sasl *s, struct str mechanism, struct str initial,
                            struct str *challenge, struct err *e)
{
    if (!str_equal_nocase(mechanism, STR("PLAIN")) && !str_equal_nocase(mechanism, STR("LOGIN"))) {
        err_set(e, ERR_NOT_FOUND, "no such mechanism");
        return SASL_STATUS_FAILED;
    }
    s->rounds = mechanism.p[0] == 'L';
    if (initial.p)
        return sasl_step(s, initial, challenge, e);
    *challenge = STR("");
    return SASL_STATUS_CONTINUE;
}

const struct account *sasl_account(const struct sasl *s)
{
    return &s->account;
}

const char *sasl_mechanism(const struct sasl *s)
{
    (void)s;
    return "PLAIN";
}

size_t sasl_response_max(const struct sasl *s)
{
    (void)s;
    return SASL_RESPONSE_MAX;
}

/* --- the client --- */

struct play {
    enum service_protocol protocol;
    struct str first, second; /* packets */
    bool utf8;                /* the client asks for it somewhere */
    struct buf replies;       /* what they begin with */
};

static struct loop *loop;
static struct smtp_context context;
static struct config *config;

/* A line: code, blank or dash, printable text (ASCII but for SMTPUTF8, RFC 6531 3.7.4.2), no more
 * than RFC 5321 4.5.3.1.5 has. Of texts with times and ids only what they begin with is kept. */
static void take_reply(struct play *p, struct str line)
{
    check(line.n >= 5 && line.n <= 511 && line.p[line.n - 1] == '\r');
    for (size_t i = 0; i < 3; i++)
        check(line.p[i] >= '0' && line.p[i] <= '9');
    check(line.p[3] == ' ' || line.p[3] == '-');
    for (size_t i = 4; i + 1 < line.n; i++)
        check((line.p[i] >= ' ' && line.p[i] <= '~') || (p->utf8 && (line.p[i] & 0x80)));
    buf_add_str(&p->replies, str_head(line, line.n < 10 ? line.n : 10));
}

/* Until the server has read all, or has closed. */
static void wait_for_server(int fd)
{
    struct err e;
    int unread;
    while (ioctl(fd, FIONREAD, &unread) == 0 && unread > 0)
        fiber_sleep(1, &e);
}

/* All that the server says, to its end. */
static void receive(int fd, struct buf *all)
{
    char piece[4096];
    struct err e;
    ssize_t n;
    do {
        check(fiber_wait_fd(fd, EV_READ, DEADLINE_NONE, &e));
        n = read(fd, piece, sizeof(piece));
        if (n > 0)
            buf_add(all, piece, (size_t)n);
    } while (n > 0);
}

static void send_packet(int fd, struct str bytes)
{
    ssize_t sent = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL); /* fits into the socket's buffer */
    check(sent == (ssize_t)bytes.n || errno == EPIPE || errno == ECONNRESET);
}

static void client(void *arg)
{
    struct play *p = arg;
    struct listener_settings listener = {
        .name = "fuzz", .protocol = (int)p->protocol, .auth = true, .auth_required = true};
    struct service *service = service_new(config, &listener, NULL, "mail.example.test");
    struct buf all = BUF_EMPTY;
    int fds[2];
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    smtp_accept(&context, service, stream_new(loop, fds[1]));
    send_packet(fds[0], p->first);
    wait_for_server(fds[1]);
    send_packet(fds[0], p->second);
    shutdown(fds[0], SHUT_WR);
    receive(fds[0], &all);
    close(fds[0]);
    struct str rest = buf_str(&all), line;
    while (rest.n > 0) {
        ptrdiff_t end = str_find_char(rest, '\n');
        check(end >= 0);
        line = str_head(rest, (size_t)end);
        take_reply(p, line);
        rest = str_skip(rest, (size_t)end + 1);
    }
    buf_free(&all);
    loop_stop(loop);
}

static void play(struct play *p, struct buf *messages)
{
    check(fiber_start(loop, "client", client, p) != NULL);
    loop_run(loop);
    *messages = accepted;
    accepted = (struct buf)BUF_EMPTY;
}

static void begin(void)
{
    static const struct settings_block *const blocks[] = {&smtp_settings_block, NULL};
    struct err e;
    check(log_open("/dev/null", LOG_LEVEL_ERROR, &e));
    loop = loop_new(&e);
    config = config_parse("maild.conf",
                          STR("smtp { message_size_max = 65536\n vrfy = yes\n etrn_hosts = unix\n"
                              "xclient_hosts = unix\n xforward_hosts = unix\n }"),
                          blocks, &e);
    check(loop && config);
    context = (struct smtp_context){
        .queue = &queue, .loop = loop, .sessions = session_list_new(), .spool_dir = "/nonexistent"};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum service_protocol protocols[] = {SERVICE_SMTP, SERVICE_SUBMISSION,
                                                      SERVICE_LMTP};
    if (size < 2)
        return 0;
    if (!loop)
        begin();
    struct str wire = str_from((const char *)data + 2, size - 2);
    size_t cut = wire.n * data[1] / 255;
    struct play whole = {.protocol = protocols[data[0] % 3],
                         .first = wire,
                         .second = STR(""),
                         .utf8 = str_find_nocase(wire, STR("SMTPUTF8")) >= 0};
    struct play parts = whole;
    parts.first = str_head(wire, cut);
    parts.second = str_skip(wire, cut);
    struct buf messages, again;
    play(&whole, &messages);
    play(&parts, &again);
    check(str_equal(buf_str(&whole.replies), buf_str(&parts.replies)));
    check(str_equal(buf_str(&messages), buf_str(&again)));
    buf_free(&whole.replies);
    buf_free(&parts.replies);
    buf_free(&messages);
    buf_free(&again);
    return 0;
}
