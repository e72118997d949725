/*
 * The table of formats.
 */
#include "mailctl/record_format.h"

#include "mailctl/aliases.h"
#include "mailctl/csv_record.h"
#include "mailctl/json_record.h"
#include "mailctl/ldif_record.h"

static bool read_csv(struct str text, struct str domain, struct arena *a, struct record_file *file,
                     struct err *e)
{
    (void)domain, (void)a;
    file->records = csv_to_records(text, e);
    return file->records != NULL;
}

static bool read_ldif(struct str text, struct str domain, struct arena *a, struct record_file *file,
                      struct err *e)
{
    (void)domain, (void)a;
    file->records = ldif_to_records(text, &file->passed, e);
    return file->records != NULL;
}

static void begin_ldif(struct buf *b)
{
    buf_add_c(b, "version: 1\n\n");
}

static bool read_json(struct str text, struct str domain, struct arena *a, struct record_file *file,
                      struct err *e)
{
    (void)domain, (void)a;
    file->records = json_to_records(text, e);
    return file->records != NULL;
}

static void begin_json(struct buf *b)
{
    (void)b;
}

static bool read_aliases(struct str text, struct str domain, struct arena *a,
                         struct record_file *file, struct err *e)
{
    struct alias_file aliases;
    if (!aliases_read(text, domain, a, &aliases, e))
        return false;
    file->records = aliases.records;
    file->problems = aliases.problems;
    file->problem_count = aliases.problem_count;
    file->unsupported = aliases.unsupported;
    return true;
}

static const struct record_format formats[] = {
    {"csv", {".csv", NULL}, read_csv, csv_add_header, csv_add_record},
    {"ldif", {".ldif", ".ldf", NULL}, read_ldif, begin_ldif, ldif_add_record},
    {"json", {".json", ".jsonl", NULL}, read_json, begin_json, json_add_record},
    {"aliases", {"aliases", NULL}, read_aliases, NULL, NULL},
};

static bool is_named_so(const struct record_format *f, struct str file)
{
    for (size_t i = 0; f->ends[i]; i++)
        if (str_ends_with_nocase(file, str_from_c(f->ends[i])))
            return true;
    return false;
}

const struct record_format *record_format_find(const char *name, const char *file)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
        if (name ? str_equal(str_from_c(name), str_from_c(formats[i].name))
                 : is_named_so(&formats[i], str_from_c(file)))
            return &formats[i];
    return name ? NULL : &formats[0];
}

const char *record_format_names(bool written)
{
    return written ? "csv, ldif or json" : "csv, ldif, json or aliases";
}
