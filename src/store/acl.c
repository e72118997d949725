/*
 * Access control lists: their form, what they say of a user, and changes (RFC 4314). Form and
 * meaning are those of Dovecot 2.4 (acl-rights.c, acl-api.c), so that both can work with the same
 * files. What it is strict about is strict here: a line that cannot be understood makes the whole
 * list void, since it might have been the one that takes a right away.
 *
 * A line is an identifier and, behind spaces, letters and names of rights (":" in front of the
 * names). An identifier with a space in it stands in quotes. Two lines about the same identifier
 * are added up.
 */
#include "store/acl.h"

#include "store/limits.h"

static const struct {
    char letter;
    enum acl_right right;
    const char *name;
} rights_by_letter[] = {
    {'l', RIGHT_LOOKUP, "lookup"},        {'r', RIGHT_READ, "read"},
    {'s', RIGHT_SEEN, "write-seen"},      {'w', RIGHT_WRITE, "write"},
    {'i', RIGHT_INSERT, "insert"},        {'p', RIGHT_POST, "post"},
    {'k', RIGHT_CREATE, "create"},        {'x', RIGHT_DELETE_MAILBOX, "delete"},
    {'t', RIGHT_DELETE, "write-deleted"}, {'e', RIGHT_EXPUNGE, "expunge"},
    {'a', RIGHT_ADMINISTER, "admin"},
};
#define LETTERS (sizeof rights_by_letter / sizeof *rights_by_letter)

/* --- identifiers --- */

static const struct {
    struct str prefix;
    enum acl_kind kind;
} named_kinds[] = {
    {{"user=", 5}, ACL_USER},
    {{"group=", 6}, ACL_GROUP},
    {{"group-override=", 15}, ACL_GROUP_OVERRIDE},
};

static const struct {
    struct str word;
    enum acl_kind kind;
} plain_kinds[] = {
    {{"anyone", 6}, ACL_ANYONE},
    {{"anonymous", 9}, ACL_ANYONE},
    {{"authenticated", 13}, ACL_AUTHENTICATED},
    {{"owner", 5}, ACL_OWNER},
};

static bool is_name(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7f)
            return false;
    return name.n > 0 && name.n <= ACL_NAME_MAX && str_is_utf8(name);
}

bool acl_identifier_parse(struct str text, struct acl_identifier *id)
{
    *id = (struct acl_identifier){.name = STR("")};
    if (text.n > 0 && text.p[0] == '-') {
        id->negative = true;
        text = str_skip(text, 1);
    }
    for (size_t i = 0; i < sizeof plain_kinds / sizeof *plain_kinds; i++) {
        id->kind = plain_kinds[i].kind;
        if (str_equal(text, plain_kinds[i].word))
            return true;
    }
    for (size_t i = 0; i < sizeof named_kinds / sizeof *named_kinds; i++) {
        id->kind = named_kinds[i].kind;
        id->name = str_skip(text, named_kinds[i].prefix.n);
        if (str_starts_with(text, named_kinds[i].prefix))
            return is_name(id->name);
    }
    return false;
}

void acl_identifier_write(struct buf *b, const struct acl_identifier *id)
{
    if (id->negative)
        buf_add_char(b, '-');
    for (size_t i = 0; i < sizeof named_kinds / sizeof *named_kinds; i++)
        if (named_kinds[i].kind == id->kind) {
            buf_add_str(b, named_kinds[i].prefix);
            buf_add_str(b, id->name);
            return;
        }
    for (size_t i = 0; i < sizeof plain_kinds / sizeof *plain_kinds; i++)
        if (plain_kinds[i].kind == id->kind) {
            buf_add_str(b, plain_kinds[i].word);
            return;
        }
}

/* --- rights --- */

static unsigned right_of_letter(char letter)
{
    for (size_t i = 0; i < LETTERS; i++)
        if (rights_by_letter[i].letter == letter)
            return rights_by_letter[i].right;
    return letter == 'c'   ? RIGHT_CREATE | RIGHT_DELETE_MAILBOX
           : letter == 'd' ? RIGHT_DELETE | RIGHT_EXPUNGE
                           : 0;
}

bool acl_letters_parse(struct str letters, unsigned *rights)
{
    *rights = 0;
    for (size_t i = 0; i < letters.n; i++) {
        unsigned right = right_of_letter(letters.p[i]);
        if (!right)
            return false;
        *rights |= right;
    }
    return true;
}

void acl_letters_write(struct buf *b, unsigned rights)
{
    for (size_t i = 0; i < LETTERS; i++)
        if (rights & rights_by_letter[i].right)
            buf_add_char(b, rights_by_letter[i].letter);
}

static unsigned right_of_name(struct str name)
{
    for (size_t i = 0; i < LETTERS; i++)
        if (str_equal(name, str_from_c(rights_by_letter[i].name)))
            return rights_by_letter[i].right;
    return 0;
}

static bool has_word(struct str words, struct str word)
{
    struct str next;
    while ((next = str_word(&words)).p)
        if (str_equal(next, word))
            return true;
    return false;
}

static void add_name(struct acl_rights *r, struct str name, struct arena *a)
{
    if (!has_word(r->names, name))
        r->names = r->names.n ? arena_printf(a, "%.*s %.*s", STR_ARG(r->names), STR_ARG(name))
                              : arena_str(a, name);
}

/* Names are printable, and separated by spaces, tabs and commas. */
static bool add_names(struct acl_rights *r, struct str names, struct arena *a)
{
    for (size_t i = 0; i < names.n; i++)
        if ((unsigned char)(names.p[i] - ' ') > '~' - ' ' && names.p[i] != '\t')
            return false;
    while (names.n > 0) {
        size_t n = 0;
        while (n < names.n && names.p[n] != ' ' && names.p[n] != '\t' && names.p[n] != ',')
            n++;
        struct str name = str_head(names, n);
        unsigned right = right_of_name(name);
        if (n > 0 && !right)
            add_name(r, name, a);
        r->rights |= right;
        names = str_skip(names, n + 1);
    }
    return true;
}

/* "lrs :custom" */
static bool parse_rights(struct str text, struct acl_rights *r, struct arena *a)
{
    text = str_trim(text);
    size_t n = 0;
    while (n < text.n && text.p[n] != ' ' && text.p[n] != '\t' && text.p[n] != ':')
        n++;
    *r = (struct acl_rights){.given = true, .names = STR("")};
    /* The old letters are the protocol's, not the file's. */
    struct str letters = str_head(text, n);
    if (str_find_char(letters, 'c') >= 0 || str_find_char(letters, 'd') >= 0 ||
        !acl_letters_parse(letters, &r->rights))
        return false;
    text = str_trim(str_skip(text, n));
    if (text.n > 0 && text.p[0] != ':')
        return false;
    return add_names(r, str_skip(text, 1), a);
}

static void merge(struct acl_rights *r, const struct acl_rights *more, struct arena *a)
{
    if (!r->given) {
        *r = *more;
        return;
    }
    r->rights |= more->rights;
    add_names(r, more->names, a);
}

/* --- the list --- */

static int compare(const struct acl_entry *entry, const struct acl_identifier *id)
{
    return entry->kind != id->kind ? (int)entry->kind - (int)id->kind
                                   : str_compare(entry->name, id->name);
}

/* Position of the first entry that does not stand before it. */
static size_t position_of(const struct acl *acl, const struct acl_identifier *id)
{
    size_t i = 0;
    while (i < acl->count && compare(&acl->list[i], id) < 0)
        i++;
    return i;
}

const struct acl_entry *acl_find(const struct acl *acl, const struct acl_identifier *id)
{
    size_t i = position_of(acl, id);
    return i < acl->count && compare(&acl->list[i], id) == 0 ? &acl->list[i] : NULL;
}

/* The entry, made if it is missing; NULL: there are too many. */
static struct acl_entry *entry_for(struct acl *acl, const struct acl_identifier *id,
                                   struct arena *a)
{
    size_t at = position_of(acl, id);
    if (at < acl->count && compare(&acl->list[at], id) == 0)
        return &acl->list[at];
    if (acl->count == ACL_ENTRIES_MAX)
        return NULL;
    /* A power of two: full. */
    if ((acl->count & (acl->count - 1)) == 0) {
        struct acl_entry *list =
            arena_array(a, acl->count ? 2 * acl->count : 1, sizeof(struct acl_entry));
        if (acl->count > 0)
            memcpy(list, acl->list, acl->count * sizeof *list);
        acl->list = list;
    }
    memmove(acl->list + at + 1, acl->list + at, (acl->count - at) * sizeof *acl->list);
    acl->count++;
    acl->list[at] = (struct acl_entry){.kind = id->kind,
                                       .name = arena_str(a, id->name),
                                       .positive = {.names = STR("")},
                                       .negative = {.names = STR("")}};
    return &acl->list[at];
}

static void remove_entry(struct acl *acl, const struct acl_entry *entry, struct arena *a)
{
    struct acl_entry *list = arena_array(a, ACL_ENTRIES_MAX, sizeof *list);
    size_t count = 0;
    for (size_t i = 0; i < acl->count; i++)
        if (&acl->list[i] != entry)
            list[count++] = acl->list[i];
    acl->list = list;
    acl->count = count;
}

/* --- the text --- */

/* The identifier of a line, in quotes or up to the first space; *line moves behind it. */
static bool take_identifier(struct str *line, struct arena *a, struct str *text)
{
    struct buf b = BUF_EMPTY;
    size_t i = 1;
    if (line->n == 0 || line->p[0] != '"') {
        *text = str_split(line, ' ');
        return true;
    }
    for (; i < line->n && line->p[i] != '"'; i++) {
        i += line->p[i] == '\\' && i + 1 < line->n;
        buf_add_char(&b, line->p[i]);
    }
    *text = arena_str(a, buf_str(&b));
    buf_free(&b);
    bool closed = i < line->n && (i + 1 == line->n || line->p[i + 1] == ' ');
    *line = str_skip(*line, i + 1);
    return closed;
}

static const char *parse_line(struct acl *acl, struct str line, struct arena *a)
{
    struct acl_identifier id;
    struct acl_rights rights;
    struct str text;
    if (!take_identifier(&line, a, &text) || !acl_identifier_parse(text, &id))
        return "the identifier cannot be understood";
    if (!parse_rights(line, &rights, a))
        return "the rights cannot be understood";
    struct acl_entry *entry = entry_for(acl, &id, a);
    if (!entry)
        return "there are too many entries";
    merge(id.negative ? &entry->negative : &entry->positive, &rights, a);
    return NULL;
}

bool acl_parse(struct acl *acl, struct str text, struct arena *a, struct err *e)
{
    struct buf comments = BUF_EMPTY;
    const char *wrong = NULL;
    size_t number = 0;
    *acl = (struct acl){.comments = STR("")};
    while (text.n > 0 && !wrong) {
        struct str line = str_split(&text, '\n');
        while (line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        number++;
        if (line.n > 0 && line.p[0] == '#') {
            buf_add_str(&comments, line);
            buf_add_char(&comments, '\n');
        } else if (line.n > 0) {
            wrong = parse_line(acl, line, a);
        }
    }
    acl->comments = arena_str(a, buf_str(&comments));
    buf_free(&comments);
    return !wrong || err_set(e, ERR_SYNTAX, "line %zu: %s", number, wrong);
}

static void write_line(struct buf *b, const struct acl_entry *entry, bool negative)
{
    const struct acl_rights *r = negative ? &entry->negative : &entry->positive;
    struct acl_identifier id = {entry->kind, entry->name, negative};
    struct buf text = BUF_EMPTY;
    if (!r->given)
        return;
    acl_identifier_write(&text, &id);
    bool quoted = str_find_char(buf_str(&text), ' ') >= 0 || text.p[0] == '"';
    if (quoted)
        buf_add_char(b, '"');
    for (size_t i = 0; i < text.n; i++) {
        if (quoted && (text.p[i] == '"' || text.p[i] == '\\' || text.p[i] == '\''))
            buf_add_char(b, '\\');
        buf_add_char(b, text.p[i]);
    }
    if (quoted)
        buf_add_char(b, '"');
    buf_free(&text);
    buf_add_char(b, ' ');
    acl_letters_write(b, r->rights);
    if (r->names.n > 0)
        buf_printf(b, " :%.*s", STR_ARG(r->names));
    buf_add_char(b, '\n');
}

void acl_format(struct buf *b, const struct acl *acl)
{
    buf_add_str(b, acl->comments);
    for (size_t i = 0; i < acl->count; i++) {
        write_line(b, &acl->list[i], false);
        write_line(b, &acl->list[i], true);
    }
}

/* --- what it says --- */

static bool is_about(const struct acl_entry *entry, const struct acl_who *who)
{
    switch (entry->kind) {
    case ACL_ANYONE:
    case ACL_AUTHENTICATED:
        return true;
    case ACL_OWNER:
        return false;
    case ACL_USER:
        return str_equal_nocase(entry->name, who->login);
    case ACL_GROUP:
    case ACL_GROUP_OVERRIDE:
        for (size_t i = 0; i < who->group_count; i++)
            if (str_equal_nocase(entry->name, who->groups[i]))
                return true;
        return false;
    }
    return false;
}

/* The list is sorted, so the more specific comes later and replaces; what is of the same kind is
 * added. Positive and negative rights are found apart, each as if there were no others. */
unsigned acl_rights_of(const struct acl *acl, const struct acl_who *who)
{
    const struct acl_entry *previous = NULL;
    unsigned positive = 0, negative = 0;
    for (size_t i = 0; i < acl->count; i++) {
        const struct acl_entry *entry = &acl->list[i];
        if (!is_about(entry, who))
            continue;
        bool more = previous && previous->kind == entry->kind;
        if (entry->positive.given)
            positive = (more ? positive : 0) | entry->positive.rights;
        if (entry->negative.given)
            negative = (more ? negative : 0) | entry->negative.rights;
        previous = entry;
    }
    return positive & ~negative;
}

/* --- changes --- */

static void change_rights(struct acl_rights *r, enum acl_change change, unsigned rights)
{
    switch (change) {
    case ACL_REPLACE:
        r->given = true;
        r->rights = rights;
        return;
    case ACL_ADD:
        r->given = true;
        r->rights |= rights;
        return;
    case ACL_REMOVE:
        r->rights &= ~rights;
        return;
    case ACL_DELETE:
        *r = (struct acl_rights){.names = STR("")};
    }
}

bool acl_apply(struct acl *acl, const struct acl_identifier *id, enum acl_change change,
               unsigned rights, struct arena *a, struct err *e)
{
    struct acl_entry *entry;
    if ((change == ACL_REMOVE || change == ACL_DELETE) && !acl_find(acl, id))
        return true;
    entry = entry_for(acl, id, a);
    if (!entry)
        return err_set(e, ERR_LIMIT, "an access control list can have %d entries", ACL_ENTRIES_MAX);
    change_rights(id->negative ? &entry->negative : &entry->positive, change, rights);
    /* One that gives nothing still keeps less specific ones from counting; one that takes nothing
     * away is none. */
    if (!entry->negative.rights && !entry->negative.names.n)
        entry->negative.given = false;
    if (!entry->positive.given && !entry->negative.given)
        remove_entry(acl, entry, a);
    return true;
}
