/*
 * The keys of an issuer, from its URL or a file. They are read when a token needs them: the first
 * time, when they are older than keys_lifetime, and when a token names a key that is not among them
 * (the issuer has a new one); the latter, which any stranger can bring about, and a failure make us
 * ask again no sooner than TOKEN_KEYS_REFRESH_MIN. So an issuer that is down is waited for by few
 * logins only; the others go on with the keys as they were, until those are older than keys_stale.
 *
 * One fiber reads, those that want the same wait for it. When the one that reads is cancelled (its
 * client went away), the next takes over.
 */
#include "auth/limits.h"
#include "auth/oauth_internal.h"
#include "core/file.h"
#include "core/log.h"
#include "core/worker.h"

struct parsing {
    struct str document;
    struct jwt_keys *keys;
    struct err error;
};

static void parse_on_worker(void *arg)
{
    struct parsing *p = arg;
    p->keys = jwt_keys_parse(p->document, &p->error);
}

SUSPENDS static bool download(struct oauth_issuer *i, struct buf *document, struct err *e)
{
    struct http_response response;
    struct tls_context *tls = tls_context_ref(i->oauth->tls);
    const struct http_request request = {.url = i->settings->jwks_url,
                                         .tls = tls,
                                         .timeout = i->settings->timeout,
                                         .size_max = TOKEN_KEYS_SIZE_MAX};
    bool ok = http_ask(i->oauth->http, &request, &response, e);
    tls_context_unref(tls);
    if (ok && response.status != 200)
        ok = err_set(e, ERR_TEMP, "the server answers with status %d", response.status);
    *document = response.body;
    return ok;
}

SUSPENDS static struct jwt_keys *read_keys(struct oauth_issuer *i, struct err *e)
{
    struct buf document = BUF_EMPTY;
    bool ok = *i->settings->jwks_url
                  ? download(i, &document, e)
                  : file_read_all(i->settings->jwks_file, TOKEN_KEYS_SIZE_MAX, &document, e);
    struct parsing p = {.document = buf_str(&document)};
    if (ok) {
        worker_run(WORKER_CPU, parse_on_worker, &p);
        *e = p.error;
    }
    if (p.keys && jwt_keys_count(p.keys) == 0) {
        jwt_keys_unref(p.keys);
        p.keys = NULL;
        err_set(e, ERR_TEMP, "none of its keys can be used");
    }
    buf_free(&document);
    return p.keys;
}

static void log_result(const struct oauth_issuer *i, usec age)
{
    const struct oauth_keys *k = &i->keys;
    const char *from = *i->settings->jwks_url ? i->settings->jwks_url : i->settings->jwks_file;
    if (!k->failed)
        log_info("auth", NULL, "keys read issuer=%s source=%s count=%zu", i->settings->name, from,
                 jwt_keys_count(k->keys));
    else if (k->keys)
        log_warning(
            "auth", NULL,
            "keys cannot be read issuer=%s source=%s age=%llds reason=\"%s\": those that are "
            "known are used",
            i->settings->name, from, (long long)(age / USEC_SEC), k->error.text);
    else
        log_warning("auth", NULL, "keys cannot be read issuer=%s source=%s reason=\"%s\"",
                    i->settings->name, from, k->error.text);
}

/* False: *e is ERR_CANCELLED. Whatever else went wrong stands in i->keys. */
SUSPENDS static bool refresh(struct oauth_issuer *i, struct err *e)
{
    struct oauth_keys *k = &i->keys;
    struct err error = {0};
    k->reading = true;
    struct jwt_keys *fresh = read_keys(i, &error);
    k->reading = false;
    cond_broadcast(&k->read_cond);
    if (!fresh && error.kind == ERR_CANCELLED) {
        *e = error;
        return false;
    }
    usec now = clock_monotonic();
    k->tried = now;
    k->failed = !fresh;
    k->error = error;
    if (fresh) {
        jwt_keys_unref(k->keys);
        k->keys = fresh;
        k->read = now;
    }
    log_result(i, now - k->read);
    return true;
}

static bool is_wanted(const struct oauth_issuer *i, const struct jwt *t)
{
    const struct oauth_keys *k = &i->keys;
    usec now = clock_monotonic();
    if (k->tried && now - k->tried < TOKEN_KEYS_REFRESH_MIN &&
        (k->failed || now - k->read < i->settings->keys_lifetime))
        return false;
    return !k->keys || now - k->read >= i->settings->keys_lifetime || !jwt_keys_fit(k->keys, t);
}

SUSPENDS struct jwt_keys *oauth_find_keys(struct oauth_issuer *i, const struct jwt *t,
                                          struct err *e)
{
    struct oauth_keys *k = &i->keys;
    while (is_wanted(i, t)) {
        if (!k->reading && !refresh(i, e))
            return NULL;
        if (k->reading && !cond_wait(&k->read_cond, deadline_in(2 * i->settings->timeout), e)) {
            if (e->kind != ERR_CANCELLED)
                err_set(e, ERR_TEMP, "oauth %s: its keys take too long", i->settings->name);
            return NULL;
        }
    }
    usec age = clock_monotonic() - k->read;
    if (!k->keys ||
        (k->failed && age > i->settings->keys_lifetime && age > i->settings->keys_stale)) {
        err_set(e, ERR_TEMP, "oauth %s: its keys cannot be had: %s", i->settings->name,
                k->error.text);
        return NULL;
    }
    if (jwt_keys_fit(k->keys, t))
        return jwt_keys_ref(k->keys);
    /* A new key of the issuer's, which we could not see yet, is no lie of the user's. */
    if (k->failed)
        err_set(e, ERR_TEMP, "oauth %s: a key that is not known, and its keys cannot be had: %s",
                i->settings->name, k->error.text);
    else
        err_set(e, ERR_DENIED, "token_key");
    return NULL;
}
