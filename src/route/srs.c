/*
 * SRS0 and SRS1 as the paper describes them, with the hash in base64 of an HMAC-SHA256 over the
 * time stamp, the host and the local part in lower case. Servers on the way may change upper and
 * lower case of a local part, so the hash is compared without regard to it, as are "SRS0" and the
 * time stamp; six characters of it are what is left of about 31 bits to guess.
 *
 * A sender that is an SRS0 address of another forwarder is not wrapped again but sent back to that
 * forwarder directly (SRS1), so that an address does not grow with every step.
 */
#include "route/srs.h"

#include "core/buf.h"
#include "mime/address.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define HASH_SIZE 6
#define DAY       (86400 * USEC_SEC)
#define DAYS      1024 /* the period of the time stamp */
#define LOCAL_MAX 255
#define SRS0      STR("SRS0")
#define SRS1      STR("SRS1")

static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static bool is_separator(char c)
{
    return c == '=' || c == '+' || c == '-';
}

/* "SRS0=", "srs0+" ... with something behind it */
static bool has_tag(struct str local, struct str tag)
{
    return local.n > tag.n + 1 && str_starts_with_nocase(local, tag) &&
           is_separator(local.p[tag.n]);
}

/* --- hash and time --- */

static void add_hash(struct buf *out, struct str secret, struct str data)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    struct buf lower = BUF_EMPTY, text = BUF_EMPTY;
    for (size_t i = 0; i < data.n; i++)
        buf_add_char(&lower, char_lower(data.p[i]));
    HMAC(EVP_sha256(), secret.p, (int)secret.n, (const unsigned char *)buf_str(&lower).p, lower.n,
         digest, &size);
    buf_add_base64(&text, str_from((const char *)digest, size));
    /* "/" is no trouble in a local part, but some take it for a path. */
    for (size_t i = 0; i < HASH_SIZE; i++)
        buf_add_char(out, text.p[i] == '/' ? '_' : text.p[i]);
    buf_free(&lower);
    buf_free(&text);
}

static bool hash_fits(const struct srs_secrets *secrets, struct str hash, struct str data)
{
    bool fits = false;
    for (size_t i = 0; i < secrets->count && hash.n == HASH_SIZE; i++) {
        struct buf wanted = BUF_EMPTY;
        unsigned differs = 0;
        add_hash(&wanted, secrets->list[i], data);
        for (size_t k = 0; k < HASH_SIZE; k++)
            differs |= (unsigned char)(char_lower(wanted.p[k]) ^ char_lower(hash.p[k]));
        fits |= differs == 0;
        buf_free(&wanted);
    }
    return fits;
}

static void add_stamp(struct buf *out, usec now)
{
    unsigned day = (unsigned)(now / DAY % DAYS);
    buf_add_char(out, base32[day / 32]);
    buf_add_char(out, base32[day % 32]);
}

static int digit(char c)
{
    if (c >= 'a' && c <= 'z')
        c = (char)(c - 32);
    const char *found = c ? strchr(base32, c) : NULL;
    return found ? (int)(found - base32) : -1;
}

/* A day ahead is allowed: clocks differ. */
static bool stamp_is_valid(struct str stamp, usec now, unsigned validity_days)
{
    int high = stamp.n == 2 ? digit(stamp.p[0]) : -1, low = stamp.n == 2 ? digit(stamp.p[1]) : -1;
    if (high < 0 || low < 0)
        return false;
    unsigned then = (unsigned)high * 32 + (unsigned)low, today = (unsigned)(now / DAY % DAYS);
    return (today + 1 + DAYS - then) % DAYS <= validity_days + 1;
}

/* --- forward --- */

static struct str finish(struct buf *local, struct str domain, struct arena *a)
{
    struct address address = {.local = buf_str(local), .domain = domain};
    struct str text = local->n <= LOCAL_MAX ? address_text(a, &address) : STR("");
    buf_free(local);
    return text;
}

static void add_signed(struct buf *out, const struct srs_secrets *secrets, struct str tag,
                       struct str signed_text)
{
    buf_add_str(out, tag);
    buf_add_char(out, '=');
    add_hash(out, secrets->list[0], signed_text);
    buf_add_char(out, '=');
    buf_add_str(out, signed_text);
}

/* What stands behind the hash of a forwarder's SRS1 address, if it is one that leads on. */
static bool split_second(struct str local, struct str *text)
{
    struct str rest = str_skip(local, SRS1.n + 1);
    str_split(&rest, '='); /* their hash */
    *text = rest;
    struct str domain = str_split(&rest, '=');
    return rest.p && rest.n > 1 && is_separator(rest.p[0]) && domain_is_valid(domain, true);
}

struct str srs_forward(const struct srs_secrets *secrets, struct str sender, struct str domain,
                       usec now, struct arena *a)
{
    struct address address;
    struct buf out = BUF_EMPTY, text = BUF_EMPTY;
    /* A domain may have characters that normalize to others. */
    if (!address_parse(a, sender, ADDRESS_UTF8, &address, NULL) ||
        !domain_is_valid(address.domain, true))
        return STR("");
    struct str second;
    if (has_tag(address.local, SRS1) && split_second(address.local, &second)) {
        buf_add_str(&text, second);
    } else if (has_tag(address.local, SRS0)) {
        buf_printf(&text, "%.*s=%.*s", STR_ARG(address.domain),
                   STR_ARG(str_skip(address.local, SRS0.n)));
    } else {
        add_stamp(&text, now);
        buf_printf(&text, "=%.*s=%.*s", STR_ARG(address.domain), STR_ARG(address.local));
        add_signed(&out, secrets, SRS0, buf_str(&text));
        buf_free(&text);
        return finish(&out, domain, a);
    }
    add_signed(&out, secrets, SRS1, buf_str(&text));
    buf_free(&text);
    return finish(&out, domain, a);
}

/* --- reverse --- */

static struct str address_of(struct str local, struct str domain, struct arena *a)
{
    struct address address = {.local = local, .domain = domain};
    return address_text(a, &address);
}

/* rest: "TT=domain=local" */
static enum srs_answer reverse_first(struct str rest, usec now, unsigned validity_days,
                                     struct arena *a, struct str *sender)
{
    struct str stamp = str_split(&rest, '='), domain = str_split(&rest, '=');
    if (!rest.p || rest.n == 0 || !domain_is_valid(domain, true))
        return SRS_FORGED;
    if (!stamp_is_valid(stamp, now, validity_days))
        return SRS_OLD;
    *sender = address_of(rest, domain, a);
    return SRS_VALID;
}

/* rest: "domain=" and what stands behind their "SRS0", its separator first */
static enum srs_answer reverse_second(struct str rest, struct arena *a, struct str *sender)
{
    struct str domain = str_split(&rest, '=');
    if (!rest.p || rest.n < 2 || !is_separator(rest.p[0]) || !domain_is_valid(domain, true))
        return SRS_FORGED;
    struct str local = arena_printf(a, "SRS0%.*s", STR_ARG(rest));
    *sender = address_of(local, domain, a);
    return SRS_VALID;
}

enum srs_answer srs_reverse(const struct srs_secrets *secrets, struct str local, usec now,
                            unsigned validity_days, struct arena *a, struct str *sender)
{
    bool first = has_tag(local, SRS0);
    if (!first && !has_tag(local, SRS1))
        return SRS_NONE;
    struct str rest = str_skip(local, SRS0.n + 1);
    struct str hash = str_split(&rest, '=');
    if (!rest.p || !hash_fits(secrets, hash, rest))
        return SRS_FORGED;
    return first ? reverse_first(rest, now, validity_days, a, sender)
                 : reverse_second(rest, a, sender);
}
