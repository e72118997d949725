/*
 * The arguments of LIST: in the extended form (RFC 5258) a list of selection options before the
 * reference, several patterns, and RETURN with options, some of which have arguments themselves.
 */
#include "imap/limits.h"
#include "imap/list.h"
#include "imap/list_match.h"
#include "imap/status.h"

struct option_name {
    const char *name;
    unsigned option;
};
static const struct option_name select_names[] = {{"SUBSCRIBED", LIST_SUBSCRIBED},
                                                  {"REMOTE", LIST_REMOTE},
                                                  {"RECURSIVEMATCH", LIST_RECURSIVEMATCH},
                                                  {"SPECIAL-USE", LIST_SPECIAL_USE},
                                                  {0}};
static const struct option_name return_names[] = {
    {"SUBSCRIBED", LIST_SUBSCRIBED}, {"CHILDREN", LIST_CHILDREN}, {"SPECIAL-USE", LIST_SPECIAL_USE},
    {"STATUS", LIST_STATUS},         {"METADATA", LIST_METADATA}, {0}};

static unsigned option_of(const struct option_name *names, const struct imap_argument *a)
{
    while (names->name && !imap_argument_is(a, names->name))
        names++;
    return names->option;
}

static bool take_select(struct imap_command *c, struct listing *l)
{
    if (l->lsub || !c->next || c->next->type != IMAP_LIST)
        return true;
    const struct imap_argument *list = imap_take(c, "selection options");
    l->extended = true;
    for (const struct imap_argument *a = list->children; a; a = a->next) {
        unsigned option = option_of(select_names, a);
        if (!option) {
            imap_expected(c, a, "a selection option of LIST");
            return false;
        }
        l->select |= option;
    }
    if (l->select & LIST_RECURSIVEMATCH && !(l->select & (LIST_SUBSCRIBED | LIST_SPECIAL_USE))) {
        imap_bad(c, "RECURSIVEMATCH needs another selection option");
        return false;
    }
    return true;
}

/* The argument of an option that has one; *a moves behind the option. */
static bool take_option_value(struct imap_command *c, struct listing *l, unsigned option,
                              const struct imap_argument **a)
{
    if (option == LIST_STATUS)
        return imap_take_status_items(c, *a = (*a)->next, &l->status);
    if (option == LIST_METADATA)
        return imap_take_metadata_entries(c, *a = (*a)->next, &l->metadata);
    return true;
}

static bool take_return(struct imap_command *c, struct listing *l)
{
    if (l->lsub || !c->next)
        return imap_take_end(c);
    struct imap_argument *word = imap_take(c, "RETURN");
    if (!imap_argument_is(word, "RETURN")) {
        imap_expected(c, word, "RETURN");
        return false;
    }
    struct imap_argument *list = imap_take(c, "a list of return options");
    if (!list)
        return false;
    if (list->type != IMAP_LIST) {
        imap_expected(c, list, "a list of return options");
        return false;
    }
    for (const struct imap_argument *a = list->children; a; a = a->next) {
        unsigned option = option_of(return_names, a);
        if (!option) {
            imap_expected(c, a, "a return option of LIST");
            return false;
        }
        l->give |= option;
        if (!take_option_value(c, l, option, &a))
            return false;
    }
    return imap_take_end(c);
}

/* Of a pattern, the wildcards may stand without quotes. */
static bool take_pattern(struct imap_command *c, struct listing *l, const struct imap_argument *a,
                         struct str reference)
{
    if (a->type == IMAP_LIST || a->spool || a->has_section) {
        imap_expected(c, a, "a mailbox pattern");
        return false;
    }
    if (l->extended && !a->text.n)
        return true;
    struct str pattern = arena_printf(c->arena, "%.*s%.*s", STR_ARG(reference), STR_ARG(a->text));
    if (pattern.n > IMAP_PATTERN_MAX) {
        imap_no(c, "[LIMIT] Patterns may have %d bytes", IMAP_PATTERN_MAX);
        return false;
    }
    wire_name_swap(l->naming, (char *)pattern.p, pattern.n);
    l->parents = l->parents || list_match_wants_parents(pattern);
    l->patterns[l->pattern_count++] = pattern;
    return true;
}

static bool take_patterns(struct imap_command *c, struct listing *l, struct str reference)
{
    struct imap_argument *a = imap_take(c, "a mailbox pattern");
    if (!a)
        return false;
    bool several = a->type == IMAP_LIST && !l->lsub;
    if (several && !a->children) {
        imap_expected(c, NULL, "a mailbox pattern");
        return false;
    }
    l->extended = l->extended || several || (c->next && !l->lsub);
    size_t count = 1;
    for (const struct imap_argument *p = several ? a->children : NULL; p; p = p->next)
        count++;
    l->patterns = arena_array(c->arena, count, sizeof *l->patterns);
    l->root = !l->lsub && !l->extended && !a->text.n;
    if (!several)
        return take_pattern(c, l, a, reference);
    for (const struct imap_argument *p = a->children; p; p = p->next)
        if (!take_pattern(c, l, p, reference))
            return false;
    return true;
}

bool imap_take_listing(struct imap_command *c, struct listing *l)
{
    struct str reference;
    return take_select(c, l) && imap_take_astring(c, "a reference name", &reference) &&
           take_patterns(c, l, reference) && take_return(c, l);
}
