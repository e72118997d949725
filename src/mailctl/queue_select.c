/*
 * Which messages of the queue a command is about: those with the ids that stand on the command
 * line, or those that its options describe.
 */
#include "mailctl/queue.h"

#include <string.h>

static bool parse_number(struct str text, const char *units, const int64_t *values, int64_t plain,
                         int64_t *result)
{
    size_t digits = 0;
    uint64_t number;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
        digits++;
    struct str unit = str_skip(text, digits);
    int64_t factor = plain;
    if (unit.n == 1) {
        const char *at = strchr(units, char_lower(unit.p[0]));
        factor = at ? values[at - units] : 0;
    }
    if (unit.n > 1 || factor == 0 || !str_to_u64(str_head(text, digits), &number) ||
        number > (uint64_t)(INT64_MAX / factor / 1000000))
        return false;
    *result = (int64_t)number * factor;
    return true;
}

bool queue_parse_duration(struct str text, int64_t *seconds)
{
    static const int64_t values[] = {1, 60, 3600, 86400, 604800};
    return parse_number(text, "smhdw", values, 0, seconds);
}

bool queue_parse_size(struct str text, int64_t *bytes)
{
    static const int64_t values[] = {1, 1024, 1024 * 1024, 1024 * 1024 * 1024};
    return parse_number(text, "bkmg", values, 1, bytes);
}

/* "A", "A-", "A-B", "-B". */
static bool add_range(json_t *filter, const char *text, const char *least, const char *most,
                      bool (*parse)(struct str text, int64_t *value))
{
    struct str rest = str_from_c(text), first = str_split(&rest, '-');
    int64_t value;
    if (first.n == 0 && rest.n == 0)
        return false;
    if (first.n > 0) {
        if (!parse(first, &value))
            return false;
        json_object_set_new(filter, least, json_integer(value));
    }
    if (rest.n > 0) {
        if (!parse(rest, &value))
            return false;
        json_object_set_new(filter, most, json_integer(value));
    }
    return true;
}

static bool add_ranges(const struct arguments *a, json_t *filter)
{
    const char *age = option(a, "--age"), *size = option(a, "--size");
    if (age && !add_range(filter, age, "age_least", "age_most", queue_parse_duration)) {
        fail_usage("--age %s: 30m, 2h, 1h-4h or -10m is expected", age);
        return false;
    }
    if (size && !add_range(filter, size, "size_least", "size_most", queue_parse_size)) {
        fail_usage("--size %s: 5M, 10K-1M or -4K is expected", size);
        return false;
    }
    return true;
}

/* NULL: a mistake. */
static json_t *make_filter(const struct arguments *a)
{
    static const char *const names[] = {"--sender", "--recipient", "--domain",
                                        "--reason", "--login",     "--route"};
    json_t *filter = json_object();
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (option(a, names[i]))
            json_object_set_new(filter, names[i] + 2, json_string(option(a, names[i])));
    if (option(a, "--state"))
        json_object_set_new(filter, "states", option_list(a, "--state"));
    if (add_ranges(a, filter))
        return filter;
    json_decref(filter);
    return NULL;
}

json_t *queue_select(const struct arguments *a, size_t first, int least)
{
    json_t *filter = make_filter(a), *args = json_object();
    bool all = option(a, "--all"), filtered = filter && json_object_size(filter) > 0;
    const char *mistake = NULL;
    if (a->count > first && (all || filtered))
        mistake = "ids, or options that say which messages, not both";
    else if (all && filtered)
        mistake = "--all, or options that say which messages, not both";
    else if (least == SELECT_SOMETHING && a->count <= first && !all && !filtered)
        mistake = "say which messages: ids, --sender, --domain ..., or --all";
    if (filter && mistake)
        fail_usage("%s", mistake);
    if (!filter || mistake) {
        json_decref(filter);
        json_decref(args);
        return NULL;
    }
    if (a->count > first) {
        json_t *ids = json_array();
        for (size_t i = first; i < a->count; i++)
            json_array_append_new(ids, json_string(a->words[i]));
        json_object_set_new(args, "ids", ids);
        json_decref(filter);
    } else {
        json_object_set_new(args, "filter", filter);
    }
    return args;
}
