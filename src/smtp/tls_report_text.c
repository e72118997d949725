/*
 * A report as JSON (RFC 8460 4), packed, and the message that carries it (5.3): multipart/report
 * with a text for people and the packed file. Rows of one policy stand together; their successes
 * and failures are summed up, the failures listed.
 */
#include "core/random.h"
#include "mime/date.h"
#include "smtp/tls_report_internal.h"

#include <jansson.h>
#include <stdlib.h>
#include <zlib.h>

#define DAY_SECONDS 86400
#define LINE        76 /* of base64 */

/* --- JSON --- */

/* Bytes from strangers that are no UTF-8 become question marks. */
static json_t *text(struct str s)
{
    if (str_is_utf8(s))
        return json_stringn(s.p, s.n);
    struct buf ascii = BUF_EMPTY;
    for (size_t i = 0; i < s.n; i++)
        buf_add_char(&ascii, s.p[i] >= ' ' && s.p[i] <= '~' ? s.p[i] : '?');
    json_t *json = json_stringn(buf_str(&ascii).p, ascii.n);
    buf_free(&ascii);
    return json;
}

static json_t *lines(struct str all)
{
    json_t *list = json_array();
    while (all.n > 0) {
        struct str line = str_trim(str_split(&all, '\n'));
        if (line.n > 0)
            json_array_append_new(list, text(line));
    }
    return list;
}

static json_t *time_json(int64_t seconds)
{
    struct buf out = BUF_EMPTY;
    date_write_rfc3339(&out, seconds);
    json_t *json = json_stringn(buf_str(&out).p, out.n);
    buf_free(&out);
    return json;
}

static void set_text(json_t *object, const char *name, struct str s)
{
    if (s.n > 0)
        json_object_set_new(object, name, text(s));
}

static json_t *failure(const struct tls_report_row *r)
{
    json_t *f = json_object();
    set_text(f, "result-type", r->result);
    set_text(f, "sending-mta-ip", r->source);
    set_text(f, "receiving-mx-hostname", r->host);
    set_text(f, "receiving-ip", r->address);
    json_object_set_new(f, "failed-session-count", json_integer((json_int_t)r->count));
    set_text(f, "failure-reason-code", r->reason);
    return f;
}

static json_t *policy_json(const struct tls_report_row *r)
{
    json_t *policy = json_object();
    json_object_set_new(policy, "policy-type", json_string(tls_report_policy_name(r->policy)));
    if (r->policy_text.n > 0)
        json_object_set_new(policy, "policy-string", lines(r->policy_text));
    json_object_set_new(policy, "policy-domain", text(r->domain));
    if (r->hosts.n > 0)
        json_object_set_new(policy, "mx-host", lines(r->hosts));
    return policy;
}

static bool same_policy(const struct tls_report_row *a, const struct tls_report_row *b)
{
    return a->policy == b->policy && str_equal(a->policy_text, b->policy_text) &&
           str_equal(a->hosts, b->hosts);
}

/* The rows of one policy, from rows[0] on; *used of them. */
static json_t *policy_part(const struct tls_report_row *rows, size_t count, size_t *used)
{
    json_int_t good = 0, bad = 0;
    json_t *part = json_object(), *failures = json_array(), *summary = json_object();
    for (*used = 0; *used < count && same_policy(&rows[0], &rows[*used]); ++*used) {
        const struct tls_report_row *r = &rows[*used];
        *(r->result.n > 0 ? &bad : &good) += (json_int_t)r->count;
        if (r->result.n > 0 && json_array_size(failures) < TLS_REPORT_FAILURES_MAX)
            json_array_append_new(failures, failure(r));
    }
    json_object_set_new(part, "policy", policy_json(&rows[0]));
    json_object_set_new(summary, "total-successful-session-count", json_integer(good));
    json_object_set_new(summary, "total-failure-session-count", json_integer(bad));
    json_object_set_new(part, "summary", summary);
    if (json_array_size(failures) > 0)
        json_object_set_new(part, "failure-details", failures);
    else
        json_decref(failures);
    return part;
}

void tls_report_json(const struct tls_report_head *head, const struct tls_report_row *rows,
                     size_t count, struct buf *out)
{
    json_t *report = json_object(), *range = json_object(), *policies = json_array();
    json_object_set_new(report, "organization-name", text(str_from_c(head->organization)));
    json_object_set_new(range, "start-datetime", time_json(head->day * DAY_SECONDS));
    json_object_set_new(range, "end-datetime", time_json((head->day + 1) * DAY_SECONDS - 1));
    json_object_set_new(report, "date-range", range);
    json_object_set_new(report, "contact-info", text(str_from_c(head->contact)));
    json_object_set_new(report, "report-id", text(str_from_c(head->id)));
    for (size_t i = 0, used; i < count; i += used)
        json_array_append_new(policies, policy_part(&rows[i], count - i, &used));
    json_object_set_new(report, "policies", policies);
    char *dump = json_dumps(report, JSON_INDENT(2));
    buf_add_c(out, dump ? dump : "{}");
    free(dump);
    json_decref(report);
}

bool tls_report_gzip(struct str plain, struct buf *out)
{
    z_stream z = {.zalloc = Z_NULL};
    if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    uLong most = deflateBound(&z, plain.n);
    z.next_in = (unsigned char *)plain.p;
    z.avail_in = (uInt)plain.n;
    z.next_out = (unsigned char *)buf_reserve(out, most);
    z.avail_out = (uInt)most;
    bool ok = deflate(&z, Z_FINISH) == Z_STREAM_END;
    out->n += ok ? z.total_out : 0;
    deflateEnd(&z);
    return ok;
}

/* --- mail --- */

void tls_report_file_name(const struct tls_report_head *head, struct buf *out)
{
    buf_printf(out, "%s!%.*s!%lld!%lld.json.gz", head->submitter, STR_ARG(head->domain),
               (long long)(head->day * DAY_SECONDS),
               (long long)((head->day + 1) * DAY_SECONDS - 1));
}

static void write_head(const struct tls_report_head *head, const char *from, const char *to,
                       const char *boundary, struct buf *out)
{
    buf_add_c(out, "Date: ");
    date_write_header(out, clock_wall() / USEC_SEC);
    buf_printf(out,
               "\nFrom: <%s>\nTo: <%s>\nMessage-ID: <%s>\n"
               "Subject: Report Domain: %.*s\n Submitter: %s\n Report-ID: <%s>\n"
               "TLS-Report-Domain: %.*s\nTLS-Report-Submitter: %s\nTLS-Required: No\n"
               "Auto-Submitted: auto-generated\nMIME-Version: 1.0\n"
               "Content-Type: multipart/report; report-type=\"tlsrpt\";\n boundary=\"%s\"\n\n",
               from, to, head->id, STR_ARG(head->domain), head->submitter, head->id,
               STR_ARG(head->domain), head->submitter, boundary);
}

static void write_text(const struct tls_report_head *head, const char *boundary, struct buf *out)
{
    struct buf day = BUF_EMPTY;
    date_write_rfc3339(&day, head->day * DAY_SECONDS);
    buf_printf(out,
               "--%s\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
               "This is what came of TLS connections from %s\n"
               "to the mail servers of %.*s on %.*s (UTC).\n"
               "The attached file is for programs (RFC 8460). Questions: %s\n\n",
               boundary, head->submitter, STR_ARG(head->domain), 10, buf_c(&day), head->contact);
    buf_free(&day);
}

void tls_report_mail(const struct tls_report_head *head, const char *from, const char *to,
                     struct str gzip, struct buf *out)
{
    char boundary[ID_SIZE];
    struct buf name = BUF_EMPTY, base64 = BUF_EMPTY;
    random_id(boundary);
    tls_report_file_name(head, &name);
    buf_add_base64(&base64, gzip);
    write_head(head, from, to, boundary, out);
    write_text(head, boundary, out);
    buf_printf(out,
               "--%s\nContent-Type: application/tlsrpt+gzip\nContent-Transfer-Encoding: base64\n"
               "Content-Disposition: attachment;\n filename=\"%s\"\n\n",
               boundary, buf_c(&name));
    for (size_t at = 0; at < base64.n; at += LINE) {
        buf_add_str(out, str_head(str_skip(buf_str(&base64), at), LINE));
        buf_add_char(out, '\n');
    }
    buf_printf(out, "--%s--\n", boundary);
    buf_free(&name);
    buf_free(&base64);
}
