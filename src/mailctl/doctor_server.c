/*
 * doctor: the configuration, the process that runs with it, and the directory that it asks.
 */
#include "mailctl/doctor.h"
#include "policy/policy.h"
#include "queue/rules.h"

/* --- configuration --- */

struct reading {
    struct config *config;
    bool certificate, tables, rules;
    struct err errors[3];
};

static void read_files(void *arg)
{
    struct reading *r = arg;
    const struct tls_settings *tls = config_block(r->config, &tls_settings_block);
    struct tls_context *context = NULL;
    r->certificate =
        tls->certificate.count == 0 || (context = tls_server_context_of(r->config, &r->errors[0]));
    tls_context_unref(context);
    r->tables = policy_check_tables(r->config, &r->errors[1]);
    r->rules = queue_rules_check(r->config, &r->errors[2]);
}

void doctor_configuration(struct doctor_job *j)
{
    struct doctor *d = j->doctor;
    const char *path = d->mailctl->config_path;
    if (!d->configured) {
        doctor_found(j, DOCTOR_BAD, "", "%s", d->config_error.text);
        doctor_mend(j, "mailctl config check");
        return;
    }
    struct reading r = {.config = d->site.config};
    doctor_block(read_files, &r);
    const bool ok[] = {r.certificate, r.tables, r.rules};
    for (size_t i = 0; i < 3; i++)
        if (!ok[i]) {
            doctor_found(j, DOCTOR_BAD, "", "%s", r.errors[i].text);
            doctor_mend(j, "mailctl config check");
        }
    if (!j->first)
        doctor_found(j, DOCTOR_GOOD, "", "%s is correct", path);
}

/* --- server --- */

static void tell_damage(struct doctor_job *j)
{
    const json_t *status = j->doctor->status, *text;
    size_t i;
    json_array_foreach(json_object_get(json_object_get(status, "journal"), "damage"), i, text)
        doctor_found(j, DOCTOR_BAD, "journal", "it was damaged: %s", json_string_value(text));
    json_array_foreach(json_object_get(json_object_get(status, "store"), "set_aside"), i, text)
        doctor_found(j, DOCTOR_BAD, "store", "%s", json_string_value(text));
}

bool doctor_server_is_down(const struct doctor *d)
{
    enum err_kind kind = d->server_error.kind;
    return !d->status && (kind == ERR_CLOSED || kind == ERR_NOT_FOUND);
}

void doctor_server(struct doctor_job *j)
{
    const struct doctor *d = j->doctor;
    if (!d->status && d->server_error.kind == ERR_DENIED) {
        doctor_found(j, DOCTOR_SKIPPED, "", "it does not answer you: %s", d->server_error.text);
        doctor_mend(j, "sudo mailctl doctor");
        return;
    }
    if (!d->status) {
        bool down = doctor_server_is_down(d);
        doctor_found(j, DOCTOR_BAD, "", "%s: %s",
                     down ? "maild does not run" : "maild does not answer", d->server_error.text);
        if (down)
            doctor_mend(j, "systemctl start maild, or: mailctl start");
        return;
    }
    const char *version = text_of(d->status, "version"), *level;
    struct buf up = BUF_EMPTY;
    add_duration(&up, number_of(d->status, "uptime"));
    doctor_found(j, DOCTOR_GOOD, "", "maild %s runs, process %lld, for %s", version,
                 (long long)number_of(d->status, "pid"), buf_c(&up));
    buf_free(&up);
    if (strcmp(version, MAILD_VERSION) != 0) {
        doctor_found(j, DOCTOR_WARN, "", "it is version %s; installed is " MAILD_VERSION, version);
        doctor_mend(j, "systemctl restart maild, or: mailctl upgrade");
    }
    level = text_of(json_object_get(d->status, "load"), "level");
    if (strcmp(level, "overloaded") == 0)
        doctor_found(j, DOCTOR_WARN, "", "it is overloaded: %s",
                     text_of(json_object_get(d->status, "load"), "why"));
    tell_damage(j);
}

/* --- directory --- */

#define SLOW_MSEC 2000

/* What each source said, at its worst, of several questions to which nobody knows the answer. */
static void gather(json_t *sources, const json_t *steps)
{
    const json_t *step;
    size_t i;
    json_array_foreach(steps, i, step)
    {
        const char *name = text_of(step, "source");
        json_t *before = json_object_get(sources, name);
        bool failed = strcmp(text_of(step, "result"), "failed") == 0;
        if (!before || failed ||
            (!*text_of(before, "error") &&
             number_of(step, "microseconds") > number_of(before, "microseconds")))
            json_object_set(sources, name, (json_t *)step);
    }
}

static void judge_source(struct doctor_job *j, const char *source, const json_t *step)
{
    double msec = (double)number_of(step, "microseconds") / 1000;
    if (strcmp(text_of(step, "result"), "failed") == 0) {
        doctor_found(j, DOCTOR_BAD, source, "it cannot answer: %s", text_of(step, "error"));
        doctor_mend(j, "mailctl directory show; mailctl directory lookup NAME");
    } else {
        doctor_found(j, msec > SLOW_MSEC ? DOCTOR_WARN : DOCTOR_GOOD, source,
                     "it answers, after %.1f ms", msec);
    }
}

/* Entries that contradict each other: of lately. */
static void tell_wrong_entries(struct doctor_job *j)
{
    const json_t *sources =
        json_object_get(json_object_get(j->doctor->status, "directory"), "sources");
    const json_t *source;
    size_t i;
    json_array_foreach(sources, i, source) if (number_of(source, "wrong") > 0)
        doctor_found(j, DOCTOR_WARN, text_of(source, "name"), "entries of it are wrong: %s",
                     text_of(source, "wrong_entry"));
}

void doctor_directory(struct doctor_job *j)
{
    struct doctor *d = j->doctor;
    json_t *result = NULL, *sources = json_object(), *step;
    const json_t *question;
    const char *source;
    struct err e;
    size_t i;
    /* A name that nobody has: each source is asked to the last. */
    struct str name =
        arena_printf(j->arena, "doctor-asks-for-nobody%s%s", d->domain_count > 0 ? "@" : "",
                     d->domain_count > 0 ? d->domains[0].name : "");
    if (!doctor_ask(d, "directory lookup", args_of("name", name.p, NULL, NULL), j->deadline,
                    &result, NULL, &e)) {
        doctor_found(j, DOCTOR_BAD, "", "it cannot be asked: %s", e.text);
        doctor_mend(j, "mailctl directory show");
    }
    json_array_foreach(json_object_get(result, "questions"), i, question)
        gather(sources, json_object_get(question, "steps"));
    json_object_foreach(sources, source, step) judge_source(j, source, step);
    json_decref(sources);
    tell_wrong_entries(j);
    json_decref(result);
}
