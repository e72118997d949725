/*
 * Steps (1) to (6) of RFC 5256 2.1 over its grammar (section 5):
 *
 *   subj-refwd   = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
 *   subj-blob    = "[" *BLOBCHAR "]" *WSP
 *   subj-leader  = (*subj-blob subj-refwd) / WSP
 *   subj-trailer = "(fwd)" / WSP
 *   subj-fwd     = "[fwd:" subject "]"
 *
 * Linear in the subject: blobs without a refwd behind them are looked through once, however many
 * of them are taken off one by one afterwards.
 */
#include "mime/base_subject.h"

#include "mime/limits.h"

struct subject {
    const char *at, *end;
    const char *no_leader; /* the blobs before this have no refwd behind them */
    bool is_reply;
};

static bool starts(const struct subject *s, const char *at, struct str what)
{
    return str_starts_with_nocase(str_from(at, (size_t)(s->end - at)), what);
}

static const char *skip_space(const struct subject *s, const char *at)
{
    while (at < s->end && *at == ' ')
        at++;
    return at;
}

/* Behind the blob at `at`; `at` itself: there is none. */
static const char *skip_blob(const struct subject *s, const char *at)
{
    const char *p = at;
    if (p == s->end || *p != '[')
        return at;
    do
        p++;
    while (p < s->end && *p != '[' && *p != ']');
    return p < s->end && *p == ']' ? skip_space(s, p + 1) : at;
}

/* Behind the refwd at `at`; `at` itself: there is none. */
static const char *skip_refwd(const struct subject *s, const char *at)
{
    const char *p = at + 2;
    if (!starts(s, at, STR("re")) && !starts(s, at, STR("fw")))
        return at;
    if (starts(s, at, STR("fwd")))
        p++;
    p = skip_blob(s, skip_space(s, p));
    return p < s->end && *p == ':' ? p + 1 : at;
}

/* Step 2. */
static void cut_trailers(struct subject *s)
{
    for (;;) {
        if (s->at < s->end && s->end[-1] == ' ') {
            s->end--;
        } else if (s->end - s->at >= 5 && starts(s, s->end - 5, STR("(fwd)"))) {
            s->end -= 5;
            s->is_reply = true;
        } else {
            return;
        }
    }
}

/* Step 3, once. */
static bool cut_leader(struct subject *s)
{
    const char *p = s->at, *blobs;
    if (p < s->end && *p == ' ') {
        s->at++;
        return true;
    }
    if (p < s->no_leader)
        return false;
    while ((blobs = skip_blob(s, p)) > p)
        p = blobs;
    const char *behind = skip_refwd(s, p);
    if (behind == p) {
        s->no_leader = p;
        return false;
    }
    s->at = behind;
    s->is_reply = true;
    return true;
}

/* Step 4. */
static bool cut_blob(struct subject *s)
{
    const char *behind = skip_blob(s, s->at);
    if (behind == s->at || behind == s->end)
        return false;
    s->at = behind;
    return true;
}

/* Step 6. */
static bool cut_forward(struct subject *s)
{
    if (!starts(s, s->at, STR("[fwd:")) || s->end[-1] != ']')
        return false;
    s->at += 5;
    s->end--;
    s->is_reply = true;
    s->no_leader = s->at;
    return true;
}

/* Step 1. */
static void collapse(struct buf *out, struct str subject)
{
    char *to = buf_reserve(out, subject.n);
    size_t n = 0;
    for (size_t i = 0; i < subject.n; i++) {
        char c = subject.p[i];
        bool space = c == ' ' || c == '\t' || c == '\r' || c == '\n';
        if (!space || n == 0 || to[n - 1] != ' ')
            to[n++] = space ? ' ' : c;
    }
    out->n += n;
}

bool base_subject(struct buf *out, struct str subject)
{
    size_t start = out->n;
    collapse(out, str_head(subject, MIME_SUBJECT_MAX));
    struct subject s = {.at = out->p + start, .end = out->p + out->n};
    if (out->n == start)
        return false;
    s.no_leader = s.at;
    do {
        cut_trailers(&s);
        while (cut_leader(&s) || cut_blob(&s))
            ;
    } while (cut_forward(&s));
    size_t n = (size_t)(s.end - s.at);
    memmove(out->p + start, s.at, n);
    out->n = start + n;
    return s.is_reply;
}
