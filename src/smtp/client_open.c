/*
 * Opening a connection: the hosts of a destination in their order, each host's addresses at once
 * with the first that answers (net/stream_race.h), greeting, EHLO, TLS, AUTH. A host whose server
 * does not get through all of that is left for its next address, then for the next host, also when
 * it says 5xx: it speaks for itself and not for the domain. Only a 521 (RFC 7504) means that the
 * host will never take mail; and with several hosts that failed, one that may recover makes the
 * mail wait.
 *
 * Addresses that kept silent lately (client_memory.h) come last: within a host behind its others,
 * and a host that has no others behind all hosts. Those that kept silent just now are not asked at
 * all.
 *
 * A server that calls itself by our name is ourselves: that would be a loop.
 */
#include "core/log.h"
#include "net/stream_race.h"
#include "smtp/client_session.h"
#include "smtp/client_tls.h"

/* --- EHLO --- */

static const char *own_name(const struct client_session *s)
{
    return *s->job->next_hop.helo ? s->job->next_hop.helo : s->job->hostname;
}

/* Another server of ours on this machine may have the machine's name. */
static bool is_ourselves(const struct client_session *s, struct str name)
{
    bool neighbour = s->job->next_hop.own_choice && stream_peer_is_loopback(s->stream);
    return !neighbour && !client_session_is_lmtp(s) &&
           str_equal_nocase(name, str_from_c(s->job->hostname));
}

/* The first line names the server, each further one an extension. */
static bool note_hello(struct client_session *s, bool extended, struct client_failure *f)
{
    struct str rest = buf_str(&s->reply.text);
    struct str first = str_split(&rest, '\n');
    if (is_ourselves(s, str_word(&first))) {
        client_failure_set(f, true, "5.4.6", "%.*s is this server itself: mail would go in circles",
                           STR_ARG(buf_str(&s->relay)));
        return false;
    }
    if (extended)
        client_hello_parse(&s->hello, rest);
    if (s->without_chunks)
        s->hello.extensions &= ~(unsigned)CLIENT_CHUNKING;
    return true;
}

SUSPENDS static bool say(struct client_session *s, const char *verb, struct client_failure *f)
{
    struct buf line = BUF_EMPTY;
    buf_printf(&line, "%s %s", verb, own_name(s));
    bool ok = client_session_talk(s, verb, buf_str(&line), f);
    buf_free(&line);
    return ok;
}

SUSPENDS bool client_session_hello(struct client_session *s, struct client_failure *f)
{
    const char *verb = client_session_is_lmtp(s) ? "LHLO" : "EHLO";
    client_hello_clear(&s->hello);
    if (!say(s, verb, f))
        return false;
    bool extended = client_session_is_positive(s);
    if (s->reply.code >= 500 && !client_session_is_lmtp(s) && !s->dead && !say(s, "HELO", f))
        return false;
    if (client_session_is_positive(s))
        return note_hello(s, extended, f);
    client_session_refused(s, verb, f);
    client_failure_soften(f);
    return false;
}

/* --- one server --- */

SUSPENDS static bool greet(struct client_session *s, struct client_failure *f)
{
    if (!client_session_read(s, s->settings.greeting_timeout, "the greeting", f))
        return false;
    if (s->reply.code == 220)
        return true;
    client_session_refused(s, "the connection", f);
    if (s->reply.code != 521 || s->job->next_hop.own_choice)
        client_failure_soften(f); /* our own host: to be mended, not the sender's fault */
    return false;
}

/* All that is said before MAIL. */
SUSPENDS static bool introduce(struct client_session *s, bool use_tls, struct client_failure *f)
{
    bool implicit = client_tls_is_implicit(s);
    bool ok = (!implicit || client_tls_shake_hands(s, f)) && greet(s, f) &&
              client_session_hello(s, f) && (implicit || !use_tls || client_tls_start(s, f)) &&
              client_tls_check_promise(s, f) && client_session_log_in(s, f);
    if (client_tls_is_required(s) || implicit)
        s->tls_failed = false;
    if (!ok)
        client_session_close(s);
    return ok;
}

static const char *source_of(const struct client_session *s, const char *address)
{
    const struct next_hop *hop = &s->job->next_hop;
    const char *source = strchr(address, ':') ? hop->source_ipv6 : hop->source_ipv4;
    return *source && s->host->port != 0 ? source : NULL;
}

static void begin(struct client_session *s, const char *address)
{
    s->address = address;
    s->dead = s->tls_failed = s->login_failed = s->needs_reset = s->verified = false;
    s->mails = 0;
    client_reply_clear(&s->reply);
    buf_clear(&s->ticket);
    buf_clear(&s->relay);
    if (s->host->port == 0)
        buf_printf(&s->relay, "%s", s->host->name);
    else
        buf_printf(&s->relay, "%s[%s]:%u", s->host->name, address, s->host->port);
}

/* --- the addresses of a host --- */

static usec silent_since(const struct client_session *s, const char *address)
{
    return client_memory_since(s->shared->memory, address, s->host->port);
}

/* The addresses from `from` on: those that may answer first, without the ones that are not to be
 * asked now. Returns how many. */
static size_t order_addresses(const struct client_session *s, struct client_host *h, size_t from)
{
    size_t count = from;
    for (int silent = 0; silent < 2; silent++)
        for (size_t i = count; i < h->address_count; i++) {
            usec since = silent_since(s, h->addresses[i]);
            bool wanted =
                silent ? since >= s->settings.connect_timeout : since >= s->settings.silent_time;
            if (!wanted)
                continue;
            const char *moving = h->addresses[i];
            for (size_t k = i; k > count; k--)
                h->addresses[k] = h->addresses[k - 1];
            h->addresses[count++] = moving;
        }
    return count - from;
}

static bool all_silent(const struct client_session *s, const struct client_host *h, size_t from)
{
    for (size_t i = from; i < h->address_count; i++)
        if (silent_since(s, h->addresses[i]) >= s->settings.silent_time)
            return false;
    return true;
}

/* The address that answered goes behind those that failed, and in front of those that were not
 * asked. Returns its place. */
static size_t note_race(struct client_host *h, size_t from, const struct stream_target *targets,
                        size_t count, size_t winner)
{
    const char *address = h->addresses[from + winner];
    size_t failed = 0, others = 0;
    const char *rest[CLIENT_ADDRESSES_MAX];
    for (size_t i = 0; i < count; i++)
        if (targets[i].error.kind != ERR_NONE)
            h->addresses[from + failed++] = targets[i].address;
        else if (i != winner)
            rest[others++] = targets[i].address;
    h->addresses[from + failed] = address;
    for (size_t i = 0; i < others; i++)
        h->addresses[from + failed + 1 + i] = rest[i];
    return from + failed;
}

/* Connects to the first of these addresses that answers; *at is its place among the host's, those
 * before it have been asked. */
SUSPENDS static bool connect_any(struct client_session *s, struct client_host *h, size_t *at,
                                 size_t count, struct client_failure *f)
{
    struct stream_target targets[CLIENT_ADDRESSES_MAX] = {{.address = NULL}};
    const struct stream_race race = {.stagger = s->settings.connect_stagger,
                                     .timeout = s->settings.connect_timeout};
    struct err e = {.kind = ERR_NONE};
    size_t winner;
    for (size_t i = 0; i < count; i++)
        targets[i] = (struct stream_target){.address = h->addresses[*at + i],
                                            .port = h->port,
                                            .source = source_of(s, h->addresses[*at + i])};
    s->stream = stream_connect_race(s->job->loop, targets, count, &race, &winner, &e);
    for (size_t i = 0; i < count; i++)
        if (targets[i].error.kind == ERR_TIMEOUT)
            client_memory_silent(s->shared->memory, targets[i].address, h->port);
    if (s->stream) {
        begin(s, targets[winner].address);
        *at = note_race(h, *at, targets, count, winner);
        return true;
    }
    if (f->text.n == 0) /* what an address said that could be connected to says more */
        client_failure_set(f, false, "4.4.1", "%s (%s)", e.text, h->name);
    if (!s->address)
        begin(s, targets[count - 1].address);
    return false;
}

/* A server that connects and keeps silent is as bad as one that does not connect. */
SUSPENDS static bool introduce_and_remember(struct client_session *s, bool use_tls,
                                            struct client_failure *f)
{
    usec begun = clock_monotonic();
    bool ok = introduce(s, use_tls, f);
    if (ok)
        client_memory_answered(s->shared->memory, s->address, s->host->port);
    else if (s->reply.lines == 0 && clock_monotonic() - begun >= s->settings.greeting_timeout)
        client_memory_silent(s->shared->memory, s->address, s->host->port);
    return ok;
}

/* The server may do better without TLS. */
SUSPENDS static bool open_plain(struct client_session *s, struct client_host *h, size_t at,
                                const char *id, struct client_failure *f)
{
    log_info("smtp", id, "once more without TLS: %.*s", STR_ARG(buf_str(&f->text)));
    return connect_any(s, h, &at, 1, f) && introduce_and_remember(s, false, f);
}

static bool is_over(const struct client_session *s, const struct client_round *round)
{
    return round->sessions >= CLIENT_SESSIONS_MAX || clock_monotonic() >= s->deadline ||
           fiber_is_cancelled(fiber_self());
}

/* The host's addresses from round->address on. False: none of them works, *f. */
SUSPENDS static bool open_host(struct client_session *s, struct client_host *h,
                               struct client_round *round, const char *id, struct client_failure *f)
{
    while (!is_over(s, round)) {
        size_t count = order_addresses(s, h, round->address), at = round->address;
        if (count == 0) {
            if (f->text.n == 0)
                client_failure_set(f, false, "4.4.1", "%s does not answer (asked a moment ago)",
                                   h->name);
            return false;
        }
        round->address = h->address_count;
        if (!connect_any(s, h, &at, count, f))
            return false;
        round->address = at + 1;
        round->sessions++;
        if (introduce_and_remember(s, true, f) || (s->tls_failed && open_plain(s, h, at, id, f)))
            return true;
        if (s->login_failed) /* the same password would lock the account at last */
            return false;
        if (round->address < h->address_count)
            log_info("smtp", id, "relay not used relay=%.*s reason=\"%.*s\"",
                     STR_ARG(buf_str(&s->relay)), STR_ARG(buf_str(&f->text)));
    }
    return false;
}

/* --- the hosts of a destination --- */

SUSPENDS static bool try_host(struct client_session *s, struct client_host *h,
                              struct client_round *round, struct arena *a, const char *id,
                              struct client_failure *f)
{
    s->host = h;
    buf_clear(&s->relay);
    if (!client_host_resolve(s->job, a, h, s->config->ignored, f))
        return false;
    if (!round->second && round->address == 0 && all_silent(s, h, 0)) {
        round->skipped[round->next] = true;
        return false;
    }
    if (!client_tls_prepare(s, h, a, f))
        return false;
    s->address = NULL;
    return open_host(s, h, round, id, f);
}

/* The next host, also of the second turn. */
static bool advance(struct client_round *round, const struct client_hosts *hosts)
{
    round->next++;
    round->address = 0;
    if (!round->second && round->next >= hosts->count) {
        round->second = true;
        round->next = 0;
    }
    while (round->second && round->next < hosts->count && !round->skipped[round->next])
        round->next++;
    return round->next < hosts->count;
}

/* Of several failures one that may pass counts more than one that is for good. */
static void take_failure(struct client_session *s, struct client_failure *f,
                         struct client_failure *of_host)
{
    if (of_host->permanent && s->may_recover) {
        client_failure_free(of_host);
        return;
    }
    s->may_recover |= !of_host->permanent;
    client_failure_free(f);
    *f = *of_host;
}

SUSPENDS bool client_session_open_next(struct client_session *s, struct client_hosts *hosts,
                                       struct client_round *round, struct arena *a, const char *id,
                                       struct client_failure *f)
{
    while (round->next < hosts->count && !is_over(s, round)) {
        struct client_failure of_host = {.permanent = false};
        size_t index = round->next;
        if (try_host(s, &hosts->host[index], round, a, id, &of_host)) {
            client_failure_free(&of_host);
            return true;
        }
        if (of_host.text.n > 0) {
            log_info("smtp", id, "host not used host=%s reason=\"%.*s\"", hosts->host[index].name,
                     STR_ARG(buf_str(&of_host.text)));
            take_failure(s, f, &of_host);
        }
        if (!advance(round, hosts))
            break;
    }
    return false;
}
