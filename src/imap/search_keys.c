/*
 * Search keys from parsed arguments into a tree, by one table of names.
 *
 * Text is compared as UTF-8; that of another charset is converted, and what is neither known nor
 * UTF-8 is refused. Sequence sets and UID sets become sets of positions in the given list of
 * messages. Pure.
 */
#include "imap/limits.h"
#include "imap/list_match.h"
#include "imap/object_id.h"
#include "imap/search.h"
#include "imap/search_words.h"
#include "mime/date.h"
#include "mime/header.h"

/* The last one is for command lines only. */
enum operand {
    NONE,
    STRING,
    DATE,
    SIZE,
    KEYWORD,
    FIELD,
    UIDS,
    UID_AFTER, /* RFC 9738 */
    UID_BEFORE,
    ONE_KEY,
    TWO_KEYS,
    AGE,
    MODSEQ,
    MAILBOX,
    OBJECT
};

static const struct key_name {
    const char *name;
    enum operand operand;
    enum search_kind kind;
    bool negated;
    uint8_t flag;
    const char *field;
} names[] = {
    {"ALL", NONE, SEARCH_ALL, false, 0, NULL},
    {"ANSWERED", NONE, SEARCH_FLAG, false, MESSAGE_ANSWERED, NULL},
    {"BCC", STRING, SEARCH_ADDRESS, false, 0, "Bcc"},
    {"BEFORE", DATE, SEARCH_BEFORE, false, 0, NULL},
    {"BODY", STRING, SEARCH_BODY, false, 0, NULL},
    {"CC", STRING, SEARCH_ADDRESS, false, 0, "Cc"},
    {"DELETED", NONE, SEARCH_FLAG, false, MESSAGE_DELETED, NULL},
    {"DRAFT", NONE, SEARCH_FLAG, false, MESSAGE_DRAFT, NULL},
    {"EMAILID", OBJECT, SEARCH_EMAILID, false, 0, "M"},
    {"FLAGGED", NONE, SEARCH_FLAG, false, MESSAGE_FLAGGED, NULL},
    {"FROM", STRING, SEARCH_ADDRESS, false, 0, "From"},
    {"HEADER", FIELD, SEARCH_HEADER, false, 0, NULL},
    {"KEYWORD", KEYWORD, SEARCH_KEYWORD, false, 0, NULL},
    {"LARGER", SIZE, SEARCH_LARGER, false, 0, NULL},
    {"MAILBOX", MAILBOX, SEARCH_NONE, false, 0, NULL},
    {"MODSEQ", MODSEQ, SEARCH_MODSEQ, false, 0, NULL},
    {"NOT", ONE_KEY, SEARCH_NOT, false, 0, NULL},
    {"OLD", NONE, SEARCH_RECENT, true, 0, NULL},
    {"OLDER", AGE, SEARCH_BEFORE, false, 0, NULL},
    {"ON", DATE, SEARCH_ON, false, 0, NULL},
    {"OR", TWO_KEYS, SEARCH_OR, false, 0, NULL},
    {"RECENT", NONE, SEARCH_RECENT, false, 0, NULL},
    {"SAVEDBEFORE", DATE, SEARCH_SAVEDBEFORE, false, 0, NULL},
    {"SAVEDON", DATE, SEARCH_SAVEDON, false, 0, NULL},
    {"SAVEDSINCE", DATE, SEARCH_SAVEDSINCE, false, 0, NULL},
    {"SAVEDATESUPPORTED", NONE, SEARCH_ALL, false, 0, NULL},
    {"SEEN", NONE, SEARCH_FLAG, false, MESSAGE_SEEN, NULL},
    {"SENTBEFORE", DATE, SEARCH_SENTBEFORE, false, 0, NULL},
    {"SENTON", DATE, SEARCH_SENTON, false, 0, NULL},
    {"SENTSINCE", DATE, SEARCH_SENTSINCE, false, 0, NULL},
    {"SINCE", DATE, SEARCH_SINCE, false, 0, NULL},
    {"SMALLER", SIZE, SEARCH_SMALLER, false, 0, NULL},
    {"SUBJECT", STRING, SEARCH_HEADER, false, 0, "Subject"},
    {"TEXT", STRING, SEARCH_TEXT, false, 0, NULL},
    {"THREADID", OBJECT, SEARCH_THREADID, false, 0, "T"},
    {"TO", STRING, SEARCH_ADDRESS, false, 0, "To"},
    {"UID", UIDS, SEARCH_UIDS, false, 0, NULL},
    {"UIDAFTER", UID_AFTER, SEARCH_UIDS, false, 0, NULL},
    {"UIDBEFORE", UID_BEFORE, SEARCH_UIDS, false, 0, NULL},
    {"UNANSWERED", NONE, SEARCH_FLAG, true, MESSAGE_ANSWERED, NULL},
    {"UNDELETED", NONE, SEARCH_FLAG, true, MESSAGE_DELETED, NULL},
    {"UNDRAFT", NONE, SEARCH_FLAG, true, MESSAGE_DRAFT, NULL},
    {"UNFLAGGED", NONE, SEARCH_FLAG, true, MESSAGE_FLAGGED, NULL},
    {"UNKEYWORD", KEYWORD, SEARCH_KEYWORD, true, 0, NULL},
    {"UNSEEN", NONE, SEARCH_FLAG, true, MESSAGE_SEEN, NULL},
    {"YOUNGER", AGE, SEARCH_SINCE, false, 0, NULL},
};

struct compiler {
    struct search_scope *scope;
    struct search_program *program;
    const struct imap_argument *at; /* next argument */
    unsigned depth;
};

static bool take_key(struct compiler *p, struct search_node **node);

static struct search_node *new_node(struct compiler *p, enum search_kind kind)
{
    struct search_node *node = ARENA_NEW(p->scope->arena, struct search_node);
    node->kind = kind;
    return node;
}

static const struct imap_argument *take(struct compiler *p)
{
    const struct imap_argument *a = p->at;
    if (a)
        p->at = a->next;
    return a;
}

/* Bytes that are not ASCII are taken as UTF-8 in both. */
bool search_charset_is_utf8(struct str charset)
{
    return str_equal_nocase(charset, STR("UTF-8")) || str_equal_nocase(charset, STR("US-ASCII"));
}

/* --- what is wrong --- */

static bool expected(struct compiler *p, const struct imap_argument *at, const char *what)
{
    struct search_scope *s = p->scope;
    if (!at)
        s->error = arena_printf(s->arena, "Expected %s behind the last argument", what);
    else if (s->words)
        s->error = arena_printf(s->arena, "Expected %s, not \"%.*s\"", what,
                                STR_ARG(at->type == IMAP_LIST ? STR("(") : at->text));
    else
        s->error = arena_printf(s->arena, "Expected %s at byte %zu", what, at->offset);
    return false;
}

static bool over_limit(struct compiler *p, struct str error)
{
    p->scope->refused = true;
    p->scope->error = error;
    return false;
}

/* --- operands --- */

static bool take_string(struct compiler *p, const char *what, struct str *s)
{
    const struct imap_argument *a = take(p);
    if (p->scope->words && a && a->type == IMAP_ATOM) {
        *s = a->text;
        return true;
    }
    return imap_argument_astring(a, s) || expected(p, a, what);
}

static bool take_text(struct compiler *p, struct search_node *node)
{
    struct str text;
    if (!take_string(p, "a string to search for", &text))
        return false;
    if (!search_charset_is_utf8(p->scope->charset))
        charset_to_utf8(p->scope->arena, p->scope->charset, text, &text);
    if (!str_is_utf8(text)) {
        p->scope->error = STR("The string to search for is not valid UTF-8");
        return false;
    }
    if (text.n)
        node->key = search_key_new(p->scope->arena, text);
    else if (node->kind == SEARCH_BODY || node->kind == SEARCH_TEXT)
        node->kind = SEARCH_ALL;
    return true;
}

static bool take_field(struct compiler *p, struct search_node *node)
{
    if (!take_string(p, "the name of a header field", &node->field))
        return false;
    node->field = arena_str(p->scope->arena, node->field);
    return take_text(p, node);
}

static bool take_date(struct compiler *p, struct search_node *node)
{
    const struct imap_argument *a = p->at;
    struct str text;
    const char *what = p->scope->words ? "a date as in 2026-11-21 or a time as in 30d"
                                       : "a date as in 21-Nov-2026";
    if (!take_string(p, what, &text))
        return false;
    if (p->scope->words && search_word_time(text, p->scope->now, &node->time)) {
        node->exact = true;
        node->day = date_day(node->time, 0);
    } else if (!date_parse_imap_day(text, &node->day) &&
               !(p->scope->words && search_word_day(text, &node->day))) {
        return expected(p, a, what);
    }
    if (node->kind >= SEARCH_SAVEDBEFORE && node->kind <= SEARCH_SAVEDSINCE)
        p->program->needs_save_date = true;
    if (node->kind == SEARCH_BEFORE || node->kind == SEARCH_ON || node->kind == SEARCH_SINCE)
        p->program->needs_date = true;
    return true;
}

/* A command line may say 10K or 5M. */
static bool take_size(struct compiler *p, struct search_node *node)
{
    const struct imap_argument *a = take(p);
    if (a && a->type == IMAP_ATOM &&
        (str_to_u64(a->text, &node->size) ||
         (p->scope->words && search_word_size(a->text, &node->size))))
        return true;
    return expected(p, a, "a number of bytes");
}

/* A keyword that the mailbox does not have matches nothing. */
static bool take_keyword(struct compiler *p, struct search_node *node)
{
    const struct imap_argument *a = take(p);
    if (!a || a->type != IMAP_ATOM || !imap_is_atom(a->text))
        return expected(p, a, "a keyword");
    node->keyword = arena_str(p->scope->arena, a->text);
    node->next_keyword = p->program->keywords;
    p->program->keywords = node;
    return true;
}

void search_refresh(const struct search_program *program, const struct mailbox *m)
{
    for (struct search_node *node = program->keywords; node; node = node->next_keyword)
        if (!mailbox_keyword_test_is_current(m, &node->test))
            mailbox_keyword_test(m, node->keyword, program->arena, &node->test);
}

/* Sequence numbers mean the messages that have them now; UIDs those that come later, too. */
static void settle_set(const struct search_scope *s, struct number_set *set, bool uid,
                       struct number_set *uids)
{
    if (uid) {
        number_set_resolve_uids(set, s->count ? s->uids[s->count - 1] : 0);
        *uids = *set;
        return;
    }
    number_set_clip(s->arena, set, s->uids, s->count, false, uids);
    for (size_t i = 0; i < uids->count; i++) {
        uids->ranges[i].first = s->uids[uids->ranges[i].first];
        uids->ranges[i].last = s->uids[uids->ranges[i].last];
    }
}

static bool take_set(struct compiler *p, struct search_node *node, bool uid)
{
    const struct imap_argument *a = take(p);
    struct search_scope *s = p->scope;
    struct number_set set;
    p->program->by_number = p->program->by_number || !uid;
    if (s->uid_only && !uid && !imap_argument_is(a, "$")) {
        s->error = STR("[UIDREQUIRED] There are no sequence numbers after ENABLE UIDONLY");
        return false;
    }
    if (s->saved && imap_argument_is(a, "$")) {
        number_set_copy(s->arena, s->saved, &node->uids);
        p->program->is_saved = true;
        return true;
    }
    if (!a || a->type != IMAP_ATOM || !number_set_parse(s->arena, a->text, &set))
        return expected(p, a, uid ? "a set of UIDs" : "a search key");
    settle_set(s, &set, uid, &node->uids);
    return true;
}

/* UIDAFTER and UIDBEFORE (RFC 9738): without that UID itself. */
static bool take_uids_beside(struct compiler *p, struct search_node *node, bool after)
{
    const struct imap_argument *a = take(p);
    uint32_t uid;
    if (!a || a->type != IMAP_ATOM || !str_to_u32(a->text, &uid) || !uid)
        return expected(p, a, "a UID");
    struct number_range range =
        after ? (struct number_range){uid + 1, UINT32_MAX} : (struct number_range){1, uid - 1};
    if (range.first == 0 || range.first > range.last)
        return true; /* none */
    node->uids.ranges = ARENA_NEW(p->scope->arena, struct number_range);
    node->uids.ranges[0] = range;
    node->uids.count = 1;
    return true;
}

/* OLDER and YOUNGER (RFC 5032): both include the second itself. */
static void set_age(struct search_node *node, int64_t now)
{
    node->time = now - node->age + (node->kind == SEARCH_BEFORE);
}

static bool take_age(struct compiler *p, struct search_node *node)
{
    const struct imap_argument *a = take(p);
    uint32_t seconds;
    if (!a || a->type != IMAP_ATOM || !str_to_u32(a->text, &seconds) || !seconds)
        return expected(p, a, "a number of seconds");
    node->exact = true;
    node->age = seconds;
    set_age(node, p->scope->now);
    node->next_age = p->program->ages;
    p->program->ages = node;
    p->program->needs_date = true;
    return true;
}

void search_set_time(const struct search_program *program, int64_t now)
{
    for (struct search_node *node = program->ages; node; node = node->next_age)
        set_age(node, now);
}

/* The name and the type of an entry may stand before the number; there is one MODSEQ for all of a
 * message (RFC 7162 3.1.5). */
static bool take_modseq(struct compiler *p, struct search_node *node)
{
    const struct imap_argument *a = p->at;
    struct str entry;
    if (a && a->type == IMAP_QUOTED) {
        take(p);
        const struct imap_argument *type = take(p);
        if (!imap_argument_astring(a, &entry) || !str_starts_with_nocase(entry, STR("/flags/")))
            return expected(p, a, "the name of an entry");
        if (!imap_argument_is(type, "ALL") && !imap_argument_is(type, "PRIV") &&
            !imap_argument_is(type, "SHARED"))
            return expected(p, type, "PRIV, SHARED or ALL");
    }
    a = take(p);
    if (!a || a->type != IMAP_ATOM || !str_to_u64(a->text, &node->size) || node->size > INT64_MAX)
        return expected(p, a, "a mod-sequence");
    p->program->modseq = true;
    return true;
}

/* An identifier that we did not give is nobody's. */
static bool take_object_id(struct compiler *p, struct search_node *node)
{
    const struct imap_argument *a = take(p);
    if (!a || a->type != IMAP_ATOM || !imap_is_atom(a->text))
        return expected(p, a, "an object identifier");
    if (!object_id_parse(a->text, node->field.p[0], node->id))
        node->kind = SEARCH_NONE;
    return true;
}

/* What is true of all messages or of none, is known already. */
static bool take_mailbox(struct compiler *p, struct search_node *node)
{
    struct str pattern;
    if (!take_string(p, "a mailbox", &pattern))
        return false;
    node->kind = list_match(pattern, p->scope->name) ? SEARCH_ALL : SEARCH_NONE;
    return true;
}

static bool take_operand(struct compiler *p, const struct key_name *name, struct search_node *node)
{
    switch (name->operand) {
    case NONE:
        return true;
    case STRING:
        return take_text(p, node);
    case DATE:
        return take_date(p, node);
    case SIZE:
        return take_size(p, node);
    case KEYWORD:
        return take_keyword(p, node);
    case FIELD:
        return take_field(p, node);
    case UIDS:
        return take_set(p, node, true);
    case UID_AFTER:
        return take_uids_beside(p, node, true);
    case UID_BEFORE:
        return take_uids_beside(p, node, false);
    case AGE:
        return take_age(p, node);
    case MODSEQ:
        return take_modseq(p, node);
    case MAILBOX:
        return take_mailbox(p, node);
    case OBJECT:
        return take_object_id(p, node);
    case ONE_KEY:
        return take_key(p, &node->children);
    case TWO_KEYS:
        return take_key(p, &node->children) && take_key(p, &node->children->next);
    }
    return false;
}

/* Does it look into the message? */
static bool is_costly(enum search_kind kind)
{
    return kind >= SEARCH_SENTBEFORE;
}

/* --- keys --- */

/* All keys that are left, combined by AND. */
static bool take_all(struct compiler *p, struct search_node **node)
{
    *node = new_node(p, SEARCH_AND);
    struct search_node **tail = &(*node)->children;
    while (p->at) {
        if (!take_key(p, tail))
            return false;
        tail = &(*tail)->next;
    }
    return true;
}

static bool take_list(struct compiler *p, const struct imap_argument *list,
                      struct search_node **node)
{
    if (!list->children)
        return expected(p, list, "search keys in the list");
    const struct imap_argument *behind = p->at;
    p->at = list->children;
    bool ok = take_all(p, node);
    p->at = behind;
    return ok;
}

static bool take_named(struct compiler *p, const struct key_name *name, struct search_node **node)
{
    if (is_costly(name->kind) && ++p->program->costly > IMAP_SEARCH_KEYS_MAX)
        return over_limit(p, arena_printf(p->scope->arena,
                                          "At most %d search keys may look into messages",
                                          IMAP_SEARCH_KEYS_MAX));
    struct search_node *inner = new_node(p, name->kind);
    inner->flag = name->flag;
    inner->field = str_from_c(name->field);
    *node = inner;
    if (name->negated) {
        *node = new_node(p, SEARCH_NOT);
        (*node)->children = inner;
    }
    return take_operand(p, name, inner);
}

/* NEW is RECENT UNSEEN (RFC 3501 6.4.4). */
static struct search_node *new_messages(struct compiler *p)
{
    struct search_node *seen = new_node(p, SEARCH_FLAG);
    seen->flag = MESSAGE_SEEN;
    struct search_node *recent = new_node(p, SEARCH_RECENT);
    recent->next = new_node(p, SEARCH_NOT);
    recent->next->children = seen;
    struct search_node *both = new_node(p, SEARCH_AND);
    both->children = recent;
    return both;
}

static bool take_one(struct compiler *p, struct search_node **node)
{
    const struct imap_argument *a = take(p);
    if (a && a->type == IMAP_LIST)
        return take_list(p, a, node);
    for (size_t i = 0; a && i < sizeof names / sizeof *names; i++)
        if (imap_argument_is(a, names[i].name) && (names[i].operand != MAILBOX || p->scope->words))
            return take_named(p, &names[i], node);
    if (a && imap_argument_is(a, "NEW")) {
        *node = new_messages(p);
        return true;
    }
    if (!a || a->type != IMAP_ATOM)
        return expected(p, a, "a search key");
    p->at = a;
    *node = new_node(p, SEARCH_UIDS);
    return take_set(p, *node, false);
}

static bool take_key(struct compiler *p, struct search_node **node)
{
    if (++p->depth > IMAP_SEARCH_DEPTH)
        return over_limit(p, arena_printf(p->scope->arena, "Search keys may be nested %d deep",
                                          IMAP_SEARCH_DEPTH));
    bool ok = take_one(p, node);
    p->depth--;
    return ok;
}

bool search_compile(struct search_scope *scope, const struct imap_argument *keys,
                    struct search_program *program)
{
    struct compiler p = {.scope = scope, .program = program, .at = keys};
    *program = (struct search_program){.arena = scope->arena};
    if (!keys)
        return expected(&p, NULL, "a search key");
    return take_all(&p, &program->root);
}
