/*
 * The table of work-arounds. A row is here only for a fault that was seen and described; a client
 * that has been mended stays below the version that did it.
 */
#include "imap/workaround.h"

static const struct {
    const char *name;
    unsigned flag;
} names[] = {
    {"delay-newmail", WORKAROUND_DELAY_NEWMAIL},
    {"extra-separator", WORKAROUND_EXTRA_SEPARATOR},
    {"no-compress", WORKAROUND_NO_COMPRESS},
    {"no-condstore", WORKAROUND_NO_CONDSTORE},
    {"no-idle", WORKAROUND_NO_IDLE},
    {"no-imap4rev2", WORKAROUND_NO_REV2},
    {"no-notify", WORKAROUND_NO_NOTIFY},
};
#define NAMES (sizeof names / sizeof *names)

static const struct {
    const char *name;  /* how the name in ID begins */
    const char *below; /* versions below this one; NULL: all */
    unsigned flags;
} clients[] = {
    /* Overlooks messages that are told of in replies to other commands. */
    {"Mac OS X Mail", "2.1", WORKAROUND_DELAY_NEWMAIL},
    /* Writes names of mailboxes that hold mailboxes with "/" at the end. */
    {"Thunderbird", NULL, WORKAROUND_EXTRA_SEPARATOR},
    {"Mozilla", NULL, WORKAROUND_EXTRA_SEPARATOR},
};

static const struct {
    const char *capability;
    unsigned flag;
} hidden[] = {
    {"COMPRESS=DEFLATE", WORKAROUND_NO_COMPRESS},
    {"CONDSTORE", WORKAROUND_NO_CONDSTORE},
    {"QRESYNC", WORKAROUND_NO_CONDSTORE},
    {"IDLE", WORKAROUND_NO_IDLE},
    {"IMAP4rev2", WORKAROUND_NO_REV2},
    {"NOTIFY", WORKAROUND_NO_NOTIFY},
};

/* --- by ID --- */

/* The number at the start of *text, which is skipped with a dot behind it. */
static uint64_t take_part(struct str *text)
{
    uint64_t n = 0;
    while (text->n > 0 && text->p[0] >= '0' && text->p[0] <= '9' && n < UINT32_MAX) {
        n = n * 10 + (uint64_t)(text->p[0] - '0');
        *text = str_skip(*text, 1);
    }
    if (text->n > 0 && text->p[0] == '.')
        *text = str_skip(*text, 1);
    else
        text->n = 0;
    return n;
}

/* "2.0.7 (733)" is below "2.1". */
static bool is_below(struct str version, struct str than)
{
    while (version.n > 0 || than.n > 0) {
        uint64_t a = take_part(&version), b = take_part(&than);
        if (a != b)
            return a < b;
    }
    return false;
}

unsigned imap_workarounds_by_id(struct str name, struct str version)
{
    unsigned flags = 0;
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++)
        if (str_starts_with_nocase(name, str_from_c(clients[i].name)) &&
            (!clients[i].below || (version.n && is_below(version, str_from_c(clients[i].below)))))
            flags |= clients[i].flags;
    return flags;
}

/* --- by user --- */

/* 0: there is no such one. "none" is all of them, off. */
static unsigned find(struct str name)
{
    for (size_t i = 0; i < NAMES; i++)
        if (str_equal_nocase(name, str_from_c(names[i].name)))
            return names[i].flag;
    return 0;
}

/* "alice@example.test:no-idle" or "no-idle" for everybody. */
static void split_entry(struct str entry, struct str *login, struct str *name)
{
    ptrdiff_t colon = str_find_last_char(entry, ':');
    *login = colon < 0 ? STR("") : str_head(entry, (size_t)colon);
    *name = colon < 0 ? entry : str_skip(entry, (size_t)colon + 1);
}

unsigned imap_workarounds_for(const struct string_list *settings, struct str login, unsigned by_id)
{
    unsigned flags = by_id;
    for (size_t i = 0; i < settings->count; i++) {
        struct str who, name;
        split_entry(str_from_c(settings->items[i]), &who, &name);
        if (who.n > 0 && !str_equal_nocase(who, login))
            continue;
        if (str_equal_nocase(name, STR("none")))
            flags = 0;
        else
            flags |= find(name);
    }
    return flags;
}

bool imap_workarounds_check(const struct string_list *settings, struct err *e)
{
    for (size_t i = 0; i < settings->count; i++) {
        struct str who, name;
        split_entry(str_from_c(settings->items[i]), &who, &name);
        if (find(name) || str_equal_nocase(name, STR("none")))
            continue;
        return err_set(e, ERR_SYNTAX,
                       "workarounds: \"%.*s\" is none; there are delay-newmail, extra-separator, "
                       "no-compress, no-condstore, no-idle, no-imap4rev2, no-notify and none",
                       STR_ARG(name));
    }
    return true;
}

/* --- */

bool imap_workarounds_hide(unsigned workarounds, struct str capability)
{
    for (size_t i = 0; workarounds && i < sizeof hidden / sizeof *hidden; i++)
        if (workarounds & hidden[i].flag && str_equal(capability, str_from_c(hidden[i].capability)))
            return true;
    return false;
}

void imap_workarounds_write(struct buf *b, unsigned workarounds)
{
    size_t start = b->n;
    for (size_t i = 0; i < NAMES; i++)
        if (workarounds & names[i].flag)
            buf_printf(b, "%s%s", b->n > start ? "," : "", names[i].name);
    if (b->n == start)
        buf_add_c(b, "none");
}
