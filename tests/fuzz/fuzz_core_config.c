/*
 * The configuration reader against arbitrary text. What it accepts must survive the way through
 * config_show and back. Its place is absolute, as config_load makes it: paths are relative to it,
 * and shown absolute.
 */
#include "core/buf.h"
#include "core/settings.h"

#include <assert.h>
#include <stddef.h>

struct values {
    const char *name;
    bool yes;
    int64_t number, size;
    usec duration;
    const char *string, *path, *secret;
    int choice;
    struct string_list list, sockets;
};

#define FIELD(f) offsetof(struct values, f)

static const char *const choices[] = {"none", "starttls", "implicit", NULL};

static const struct setting table[] = {
    {"yes", SETTING_BOOL, FIELD(yes), "no", 0, 0, NULL, ""},
    {"number", SETTING_NUMBER, FIELD(number), "1", -5, 100, NULL, ""},
    {"size", SETTING_SIZE, FIELD(size), "1K", 0, 0, NULL, ""},
    {"duration", SETTING_DURATION, FIELD(duration), "1h", 0, 0, NULL, ""},
    {"string", SETTING_STRING, FIELD(string), "", 0, 0, NULL, ""},
    {"path", SETTING_PATH, FIELD(path), "a", 0, 0, NULL, ""},
    {"secret", SETTING_SECRET, FIELD(secret), "", 0, 0, NULL, ""},
    {"choice", SETTING_CHOICE, FIELD(choice), "none", 0, 0, choices, ""},
    {"list", SETTING_STRING_LIST, FIELD(list), "", 0, 0, NULL, ""},
    {"sockets", SETTING_SOCKETS, FIELD(sockets), "", 0, 0, NULL, ""},
    {0},
};

static const struct settings_block top = {"", "", false, sizeof(struct values), table, NULL};
static const struct settings_block single = {"tls", "", false, sizeof(struct values), table, NULL};
static const struct settings_block named = {"listener", "",  true, sizeof(struct values),
                                            table,      NULL};
static const struct settings_block *const blocks[] = {&top, &single, &named, NULL};

static const char place[] = "/etc/maild/maild.conf";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e;
    struct config *c = config_parse(place, str_from((const char *)data, size), blocks, &e);
    if (!c) {
        assert(e.kind == ERR_SYNTAX && e.text[0]);
        return 0;
    }
    struct buf shown = BUF_EMPTY, again = BUF_EMPTY;
    config_show(c, &shown);
    struct config *second = config_parse(place, buf_str(&shown), blocks, &e);
    assert(second);
    config_show(second, &again);
    assert(config_count(c, &named) == config_count(second, &named));
    config_unref(second);
    config_unref(c);
    buf_free(&shown);
    buf_free(&again);
    return 0;
}
