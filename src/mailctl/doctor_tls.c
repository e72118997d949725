/*
 * doctor: the certificate as those see it who connect.
 */
#include "mailctl/doctor_judge.h"

#define DAY 86400

struct reading {
    const struct doctor_job *job;
    const struct site_certificate *of; /* NULL: those that clients of the server's name get */
    struct certificate certificate;
    struct certificates own;
    bool ok;
    struct err error;
};

static void read_certificate(void *arg)
{
    struct reading *r = arg;
    const struct site *s = &r->job->doctor->site;
    const struct tls_settings *tls = config_block(s->config, &tls_settings_block);
    r->ok =
        r->of
            ? certificate_read(r->of->path, tls->ca_file, r->job->arena, &r->certificate, &r->error)
            : site_read_certificates(s, str_from_c(s->hostname), r->job->arena, &r->own, &r->error);
}

/* What renews certificates does so when a third of their life is left (some: half), and the life of
 * those of public authorities gets shorter every year. Late is what should have happened before. */
enum doctor_verdict doctor_judge_lifetime(int64_t begins, int64_t expires, int64_t now)
{
    int64_t left = expires - now, life = expires - begins;
    int64_t warn = life / 4 < 21 * DAY ? life / 4 : 21 * DAY;
    int64_t bad = life / 12 < 7 * DAY ? life / 12 : 7 * DAY;
    if (now < begins || left < bad)
        return DOCTOR_BAD;
    return left < warn ? DOCTOR_WARN : DOCTOR_GOOD;
}

static void judge_dates(struct doctor_job *j, const char *path, const struct certificate *c)
{
    int64_t now = clock_wall() / USEC_SEC, left = c->expires - now;
    enum doctor_verdict v = doctor_judge_lifetime(c->begins, c->expires, now);
    if (now < c->begins) {
        doctor_found(j, v, path, "it is not valid before %s from now: is the clock right?",
                     doctor_days(j->arena, c->begins - now));
    } else if (left <= 0) {
        doctor_found(j, v, path, "it expired %s ago", doctor_days(j->arena, -left));
    } else if (v != DOCTOR_GOOD) {
        doctor_found(j, v, path, "it expires in %s", doctor_days(j->arena, left));
    } else {
        doctor_found(j, v, path, "valid for %s, signed by %.*s", doctor_days(j->arena, left),
                     STR_ARG(c->issuer));
        return;
    }
    doctor_mend(j, "renew it (certbot renew), then: mailctl reload");
}

static void judge_name(struct doctor_job *j, const char *subject, const struct certificate *c,
                       const char *host, const char *what)
{
    if (certificate_names(c, str_from_c(host)))
        return;
    doctor_found(j, DOCTOR_BAD, subject, "it is not good for %s, %s, but for%s%.*s%s", host, what,
                 c->name_count ? " " : " no name", c->name_count ? (int)c->names[0].n : 0,
                 c->name_count ? c->names[0].p : "", c->name_count > 1 ? " and others" : "");
    doctor_mend(j, "certbot certonly -d %s", host);
}

static void judge_chain(struct doctor_job *j, const char *path, const struct certificate *c)
{
    if (c->problem.n == 0)
        return;
    if (c->self_signed) {
        doctor_found(j, DOCTOR_WARN, path,
                     "it is signed by itself: mail programs warn of it, other servers send all the "
                     "same");
        doctor_mend(j, "one that everybody trusts, for nothing: certbot certonly -d %s",
                    j->doctor->site.hostname);
        return;
    }
    doctor_found(j, DOCTOR_BAD, path, "those who connect will not trust it: %.*s",
                 STR_ARG(c->problem));
    if (c->part_count == 1)
        doctor_mend(j, "tls.certificate needs the certificates behind it as well: fullchain.pem of "
                       "certbot instead of cert.pem");
    doctor_mend(j, "nothing, where it is of an authority of your own that all clients know");
}

static void judge_pairs(struct doctor_job *j)
{
    struct err e;
    struct tls_context *context = tls_server_context_of(j->doctor->site.config, &e);
    const char *text;
    if (!context)
        doctor_found(j, DOCTOR_BAD, "", "%s", e.text);
    for (size_t i = 0; context && (text = tls_context_shadowed_at(context, i)); i++)
        doctor_found(j, DOCTOR_WARN, "", "%s", text);
    tls_context_unref(context);
}

static bool judge_certificate(struct doctor_job *j, const struct site_certificate *s)
{
    struct reading r = {.job = j, .of = s};
    doctor_block(read_certificate, &r);
    if (!r.ok) {
        bool bad = r.error.kind == ERR_SYNTAX || r.error.kind == ERR_NOT_FOUND;
        doctor_found(j, bad ? DOCTOR_BAD : DOCTOR_SKIPPED, "", "%s", r.error.text);
        if (bad)
            doctor_mend(j, "certbot certonly -d %s", j->doctor->site.hostname);
        return false;
    }
    judge_dates(j, s->path, &r.certificate);
    judge_chain(j, s->path, &r.certificate);
    for (size_t i = 0; s->names && i < s->names->count; i++)
        judge_name(j, s->path, &r.certificate, s->names->items[i],
                   "for which clients get it (names)");
    return true;
}

void doctor_certificate(struct doctor_job *j)
{
    const struct site *s = &j->doctor->site;
    struct reading r = {.job = j};
    if (s->certificate_count == 0) {
        doctor_found(j, DOCTOR_BAD, "", "there is none: passwords and mail travel in the clear");
        doctor_mend(j, "tls { certificate = FILE; key = FILE } in %s",
                    j->doctor->mailctl->config_path);
        return;
    }
    bool readable = true;
    for (size_t i = 0; i < s->certificate_count; i++)
        readable = judge_certificate(j, &s->certificates[i]) && readable;
    doctor_block(read_certificate, &r);
    for (size_t i = 0; r.ok && i < r.own.count; i++)
        judge_name(j, r.own.count > 1 ? r.own.list[i].path : s->hostname, &r.own.list[i],
                   s->hostname, "the name of this server");
    if (readable)
        judge_pairs(j);
}
