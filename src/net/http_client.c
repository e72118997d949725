/*
 * A request is one handle of libcurl in a "multi" of its own, so nothing is shared between
 * requests: no connections, no names, no sessions. libcurl says which descriptors it waits for and
 * when it wants to be woken; the loop does that, on its own stack, and the fiber that asked sleeps
 * until the transfer has ended.
 *
 * What a hostile server could do is bounded: the time for all of it, the size of the body, and that
 * of the header. No proxy of the environment, no .netrc, no redirect, no other protocol, HTTP/1.1,
 * no content encoding.
 */
#include "net/http_client.h"

#include "core/loop.h"
#include "core/mem.h"
#include "core/worker.h"
#include "net/host_list.h"
#include "net/host_port.h"
#include "net/http_curl.h"
#include "net/tls_private.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>

#define HEADER_MAX    ((size_t)32 * 1024)
#define ADDRESSES_MAX 8
#define USER_AGENT    "maild/" MAILD_VERSION

struct http_client {
    struct loop *loop;
    struct dns *dns;
    struct http_curl curl;
    bool loaded;
    size_t calls;
    struct host_set *refused; /* NULL: none */
};

struct call {
    struct http_client *client;
    const struct http_request *request;
    struct http_response *response;
    struct arena *arena;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *resolve, *headers;
    struct timer timer;
    struct cond ended;
    bool done, too_large;
    CURLcode result;
    size_t header_size;
    char error[CURL_ERROR_SIZE];
};

/* --- loading --- */

struct loading {
    struct http_curl *curl;
    bool ok;
    struct err error;
};

static void load_on_worker(void *arg)
{
    struct loading *l = arg;
    l->ok = http_curl_load(l->curl, &l->error);
}

SUSPENDS static bool load(struct http_client *c, struct err *e)
{
    struct http_curl curl;
    struct loading l = {.curl = &curl};
    if (c->loaded)
        return true;
    worker_run(WORKER_DISK, load_on_worker, &l);
    if (!l.ok) {
        *e = l.error;
        return false;
    }
    c->curl = curl;
    c->loaded = true;
    return true;
}

/* --- driven by the loop --- */

static void look_for_end(struct call *x)
{
    int left;
    CURLMsg *message;
    while ((message = x->client->curl.multi_info_read(x->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        x->result = message->data.result;
        x->done = true;
        cond_signal(&x->ended);
    }
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct call *x = arg;
    int running,
        action = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
    x->client->curl.multi_socket_action(x->multi, fd, action, &running);
    look_for_end(x);
}

static void on_timer(void *arg)
{
    struct call *x = arg;
    int running;
    x->client->curl.multi_socket_action(x->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    look_for_end(x);
}

static int watch_timer(CURLM *multi, long msec, void *arg)
{
    struct call *x = arg;
    (void)multi;
    if (msec < 0)
        timer_clear(&x->timer);
    else
        timer_set(&x->timer, clock_monotonic() + msec * USEC_MSEC, on_timer, x);
    return 0;
}

/* libcurl keeps the event of a descriptor for us. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    struct call *x = arg;
    struct event *event = known;
    short wanted =
        (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
    (void)easy;
    if (event)
        event_free(event);
    event = NULL;
    if (what != CURL_POLL_REMOVE) {
        event =
            event_new(loop_events(x->client->loop), fd, (short)(wanted | EV_PERSIST), on_socket, x);
        if (!event || event_add(event, NULL) < 0)
            abort();
    }
    x->client->curl.multi_assign(x->multi, fd, event);
    return 0;
}

/* --- what comes --- */

static size_t take_body(char *p, size_t size, size_t count, void *arg)
{
    struct call *x = arg;
    size_t n = size * count;
    x->too_large = n > x->request->size_max - x->response->body.n;
    if (x->too_large)
        return 0;
    buf_add(&x->response->body, p, n);
    return n;
}

static size_t take_header(char *p, size_t size, size_t count, void *arg)
{
    struct call *x = arg;
    size_t n = size * count;
    (void)p;
    x->header_size += n;
    x->too_large = x->header_size > HEADER_MAX;
    return x->too_large ? 0 : n;
}

/* --- what is asked --- */

static CURLcode trust_ours(CURL *easy, void *ssl, void *arg)
{
    const struct call *x = arg;
    (void)easy;
    SSL_CTX_set1_cert_store(ssl, SSL_CTX_get_cert_store(x->request->tls->ssl));
    return CURLE_OK;
}

static bool set_up(struct call *x, struct err *e)
{
    const struct http_curl *c = &x->client->curl;
    CURL *h = x->easy = c->easy_init();
    x->multi = c->multi_init();
    if (!h || !x->multi)
        return err_set(e, ERR_TEMP, "no memory for HTTP");
    c->multi_setopt(x->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    c->multi_setopt(x->multi, CURLMOPT_SOCKETDATA, x);
    c->multi_setopt(x->multi, CURLMOPT_TIMERFUNCTION, watch_timer);
    c->multi_setopt(x->multi, CURLMOPT_TIMERDATA, x);
    c->easy_setopt(h, CURLOPT_ERRORBUFFER, x->error);
    c->easy_setopt(h, CURLOPT_WRITEFUNCTION, take_body);
    c->easy_setopt(h, CURLOPT_WRITEDATA, x);
    c->easy_setopt(h, CURLOPT_HEADERFUNCTION, take_header);
    c->easy_setopt(h, CURLOPT_HEADERDATA, x);
    c->easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    c->easy_setopt(h, CURLOPT_PROXY, "");
    c->easy_setopt(h, CURLOPT_USERAGENT, USER_AGENT);
    c->easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
    c->easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    c->easy_setopt(h, CURLOPT_RESOLVE, x->resolve);
    bool ok = c->easy_setopt(h, CURLOPT_URL, x->request->url) == CURLE_OK &&
              c->easy_setopt(h, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
              c->easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
              c->easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
              c->easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
              c->easy_setopt(h, CURLOPT_CAINFO, NULL) == CURLE_OK &&
              c->easy_setopt(h, CURLOPT_CAPATH, NULL) == CURLE_OK &&
              c->easy_setopt(h, CURLOPT_SSL_CTX_FUNCTION, trust_ours) == CURLE_OK &&
              c->easy_setopt(h, CURLOPT_SSL_CTX_DATA, x) == CURLE_OK;
    return ok || err_set(e, ERR_PERM, "libcurl refuses an option");
}

static void add_field(struct call *x, const char *name, const char *value)
{
    const struct http_curl *c = &x->client->curl;
    struct buf line = BUF_EMPTY;
    buf_printf(&line, "%s:%s%s", name, *value ? " " : "", value);
    x->headers = c->slist_append(x->headers, buf_c(&line));
    explicit_bzero(line.p, line.capacity);
    buf_free(&line);
}

static void set_fields(struct call *x)
{
    if (x->request->authorization)
        add_field(x, "Authorization", x->request->authorization);
    if (x->request->content_type) {
        add_field(x, "Content-Type", x->request->content_type);
        add_field(x, "Expect", "");
    }
    x->client->curl.easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
}

static void set_body(struct call *x)
{
    const struct http_curl *c = &x->client->curl;
    const struct http_request *r = x->request;
    if (!r->content_type)
        return;
    c->easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
    c->easy_setopt(x->easy, CURLOPT_POSTFIELDS, r->body.n > 0 ? r->body.p : "");
}

/* --- whom --- */

static char *url_part(const struct http_curl *c, CURLU *url, CURLUPart part, struct arena *a)
{
    char *text = NULL;
    if (c->url_get(url, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK || !text)
        return NULL;
    char *copy = arena_c(a, str_from_c(text));
    c->release(text);
    return copy;
}

/* As libcurl itself reads the URL. */
static bool parse_url(struct call *x, const char **host, const char **port, struct err *e)
{
    const struct http_curl *c = &x->client->curl;
    CURLU *url = c->url();
    bool ok = url && c->url_set(url, CURLUPART_URL, x->request->url, 0) == CURLUE_OK;
    const char *scheme = ok ? url_part(c, url, CURLUPART_SCHEME, x->arena) : NULL;
    *host = ok ? url_part(c, url, CURLUPART_HOST, x->arena) : NULL;
    *port = ok ? url_part(c, url, CURLUPART_PORT, x->arena) : NULL;
    c->url_cleanup(url);
    return (*host && *port && scheme && strcmp(scheme, "https") == 0) ||
           err_set(e, ERR_SYNTAX, "not a URL that begins with https://");
}

void http_client_refuse(struct http_client *c, const struct string_list *networks)
{
    host_set_free(c->refused);
    c->refused = host_set_new(networks, NULL);
}

static bool is_refused(const struct call *x, const char *address)
{
    return x->client->refused && host_set_has(x->client->refused, address);
}

static bool refuse(const char *host, struct err *e)
{
    return err_set(e, ERR_DENIED, "%s has no address that may be asked (mta_sts.refused_networks)",
                   host);
}

/* "192.0.2.1", "[2001:db8::1]": nobody is asked for it. */
static bool check_numeric(const struct call *x, const char *host, struct err *e)
{
    struct str address = str_from_c(host);
    if (*host == '[' && address.n > 2)
        address = str_from(host + 1, address.n - 2);
    return !is_refused(x, arena_c(x->arena, address)) || refuse(host, e);
}

SUSPENDS static bool find_addresses(struct call *x, usec deadline, struct err *e)
{
    const char *host, *port;
    struct dns_answer answer;
    if (!parse_url(x, &host, &port, e))
        return false;
    if (*host == '[' || host_is_numeric(str_from_c(host)))
        return check_numeric(x, host, e);
    enum dns_status status =
        dns_addresses_until(x->client->dns, str_from_c(host), deadline, x->arena, &answer, e);
    if (status == DNS_TEMPFAIL)
        return false;
    if (status == DNS_NOT_FOUND)
        return err_set(e, ERR_NOT_FOUND, "%s has no address", host);
    struct buf line = BUF_EMPTY;
    buf_printf(&line, "%s:%s:", host, port);
    size_t count = 0;
    for (size_t i = 0; i < answer.count && count < ADDRESSES_MAX; i++) {
        const char *address = answer.addresses[i].text;
        if (is_refused(x, address))
            continue;
        buf_printf(&line, strchr(address, ':') ? "%s[%s]" : "%s%s", count++ ? "," : "", address);
    }
    if (count == 0) {
        buf_free(&line);
        return refuse(host, e);
    }
    x->resolve = x->client->curl.slist_append(NULL, buf_c(&line));
    buf_free(&line);
    return true;
}

/* --- the end --- */

static enum err_kind kind_of(const struct call *x)
{
    if (x->too_large)
        return ERR_LIMIT;
    switch (x->result) {
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
        return ERR_TLS;
    default:
        return ERR_TEMP;
    }
}

/* "Text/Plain; charset=utf-8" */
static void take_content_type(struct call *x)
{
    const char *given = NULL;
    char *out = x->response->content_type;
    x->client->curl.easy_getinfo(x->easy, CURLINFO_CONTENT_TYPE, &given);
    struct str text = str_from_c(given);
    text = str_trim(str_split(&text, ';'));
    text = str_head(text, sizeof(x->response->content_type) - 1);
    for (size_t i = 0; i < text.n; i++)
        out[i] = char_lower(text.p[i]);
    out[text.n] = '\0';
}

static bool take_result(struct call *x, struct err *e)
{
    long status = 0;
    if (x->result != CURLE_OK)
        return err_set(e, kind_of(x), "%s",
                       x->too_large ? "the answer is too large"
                       : *x->error  ? x->error
                                    : x->client->curl.easy_strerror(x->result));
    x->client->curl.easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    x->response->status = (int)status;
    take_content_type(x);
    return true;
}

SUSPENDS static bool transfer(struct call *x, usec deadline, struct err *e)
{
    const struct http_curl *c = &x->client->curl;
    usec left = deadline - clock_monotonic();
    if (!set_up(x, e))
        return false;
    set_fields(x);
    set_body(x);
    c->easy_setopt(x->easy, CURLOPT_TIMEOUT_MS, left > USEC_MSEC ? (long)(left / USEC_MSEC) : 1L);
    if (c->multi_add_handle(x->multi, x->easy) != CURLM_OK)
        return err_set(e, ERR_TEMP, "libcurl takes no request");
    while (!x->done)
        if (!cond_wait(&x->ended, deadline + USEC_SEC, e))
            break;
    bool ok = x->done && take_result(x, e);
    c->multi_remove_handle(x->multi, x->easy);
    return ok;
}

static void call_end(struct call *x)
{
    const struct http_curl *c = &x->client->curl;
    if (x->easy)
        c->easy_cleanup(x->easy);
    if (x->multi)
        c->multi_cleanup(x->multi);
    timer_clear(&x->timer);
    if (x->resolve)
        c->slist_free_all(x->resolve);
    if (x->headers)
        c->slist_free_all(x->headers);
    arena_free(x->arena);
    x->client->calls--;
    free(x);
}

SUSPENDS bool http_ask(struct http_client *client, const struct http_request *r,
                       struct http_response *response, struct err *e)
{
    usec deadline = deadline_in(r->timeout);
    *response = (struct http_response){.status = 0};
    if (!load(client, e))
        return false;
    struct call *x = MEM_NEW(struct call);
    client->calls++;
    x->client = client;
    x->request = r;
    x->response = response;
    x->arena = arena_new();
    bool ok = find_addresses(x, deadline, e) && transfer(x, deadline, e);
    call_end(x);
    return ok;
}

struct http_client *http_client_new(struct loop *l, struct dns *dns)
{
    struct http_client *c = MEM_NEW(struct http_client);
    c->loop = l;
    c->dns = dns;
    return c;
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    assert(c->calls == 0);
    host_set_free(c->refused);
    free(c);
}
