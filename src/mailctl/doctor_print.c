/*
 * What was found: a line for each finding, with the reason why it matters and what mends it where
 * something is wrong; or one JSON document.
 */
#include "mailctl/doctor.h"
#include "mailctl/screen.h"

#include <stdio.h>

#define TEXT_COLUMN 22

static const enum shade shades[DOCTOR_VERDICTS] = {SHADE_GOOD, SHADE_DIM, SHADE_WARN, SHADE_BAD};

static void print_words(struct str text, size_t column)
{
    screen_words(text, column);
    putchar('\n');
}

/* Never broken: it is to be copied. */
static void print_mend(struct str mend)
{
    struct str line;
    for (const char *title = "mend: "; mend.n > 0 && (line = str_split(&mend, '\n')).p;
         title = "      ") {
        printf("%*s%s", TEXT_COLUMN, "", title);
        print_clean(line);
        putchar('\n');
    }
}

static void print_finding(const struct doctor_job *j, const struct doctor_finding *f)
{
    const char *name = doctor_verdict_name(f->verdict);
    struct str text = f->text;
    printf("%s%-7s%s %-13s ", shade_begin(shades[f->verdict]), name, shade_end(), j->check->name);
    if (f->subject.n > 0)
        text = arena_printf(j->arena, "%.*s: %.*s", STR_ARG(f->subject), STR_ARG(f->text));
    print_words(text, TEXT_COLUMN);
    if (f->verdict == DOCTOR_BAD || f->verdict == DOCTOR_WARN) {
        printf("%*swhy:  ", TEXT_COLUMN, "");
        print_words(str_from_c(j->check->why), TEXT_COLUMN + 6);
    }
    print_mend(f->mend);
}

static bool is_shown(const struct doctor_finding *f, bool problems_only)
{
    return !problems_only || f->verdict == DOCTOR_BAD || f->verdict == DOCTOR_WARN;
}

static void count(const struct doctor *d, size_t counts[DOCTOR_VERDICTS])
{
    memset(counts, 0, DOCTOR_VERDICTS * sizeof(*counts));
    for (size_t i = 0; i < d->job_count; i++)
        for (const struct doctor_finding *f = d->jobs[i].first; f; f = f->next)
            counts[f->verdict]++;
}

void doctor_print(const struct doctor *d, bool problems_only)
{
    size_t counts[DOCTOR_VERDICTS];
    for (size_t i = 0; i < d->job_count; i++)
        for (const struct doctor_finding *f = d->jobs[i].first; f; f = f->next)
            if (is_shown(f, problems_only))
                print_finding(&d->jobs[i], f);
    count(d, counts);
    printf("\n%zu good, %zu to be thought about, %zu bad, %zu skipped\n", counts[DOCTOR_GOOD],
           counts[DOCTOR_WARN], counts[DOCTOR_BAD], counts[DOCTOR_SKIPPED]);
}

/* --- JSON --- */

static json_t *finding_json(const struct doctor_job *j, const struct doctor_finding *f)
{
    json_t *mend = json_array();
    struct str rest = f->mend, line;
    while (rest.n > 0 && (line = str_split(&rest, '\n')).p)
        json_array_append_new(mend, json_str(line));
    return json_pack("{s:s, s:s, s:o, s:o, s:s, s:o}", "check", j->check->name, "verdict",
                     doctor_verdict_name(f->verdict), "subject", json_str(f->subject), "text",
                     json_str(f->text), "why", j->check->why, "mend", mend);
}

void doctor_print_json(const struct doctor *d, bool problems_only)
{
    size_t counts[DOCTOR_VERDICTS];
    json_t *json = json_object(), *findings = json_array();
    for (size_t i = 0; i < d->job_count; i++)
        for (const struct doctor_finding *f = d->jobs[i].first; f; f = f->next)
            if (is_shown(f, problems_only))
                json_array_append_new(findings, finding_json(&d->jobs[i], f));
    count(d, counts);
    json_object_set_new(json, "findings", findings);
    for (int v = 0; v < DOCTOR_VERDICTS; v++)
        json_object_set_new(json, doctor_verdict_name((enum doctor_verdict)v),
                            json_integer((json_int_t)counts[v]));
    print_json(json);
    json_decref(json);
}

void doctor_print_checks(bool json)
{
    json_t *list = json_array();
    for (const struct doctor_check *c = doctor_checks; c->name; c++) {
        if (json) {
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b}", "check", c->name,
                                                  "looks_at", c->looks_at, "why", c->why,
                                                  "each_domain", c->each_domain));
            continue;
        }
        printf("%-14s", c->name);
        print_words(str_from_c(c->looks_at), 14);
    }
    if (json)
        print_json(list);
    json_decref(list);
}
