/*
 * Search keys from the arguments of SEARCH into a tree, by one table of names.
 *
 * Text is compared as UTF-8; that of another charset is converted. What is neither known nor
 * UTF-8 is refused with BADCHARSET. Sequence sets and UID sets become sets of positions in the
 * view, which stands still while the command runs.
 */
#include "imap/limits.h"
#include "imap/search.h"
#include "mime/date.h"
#include "mime/header.h"

enum operand { NONE, STRING, DATE, SIZE, KEYWORD, FIELD, UIDS, ONE_KEY, TWO_KEYS };

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
    {"FLAGGED", NONE, SEARCH_FLAG, false, MESSAGE_FLAGGED, NULL},
    {"FROM", STRING, SEARCH_ADDRESS, false, 0, "From"},
    {"HEADER", FIELD, SEARCH_HEADER, false, 0, NULL},
    {"KEYWORD", KEYWORD, SEARCH_KEYWORD, false, 0, NULL},
    {"LARGER", SIZE, SEARCH_LARGER, false, 0, NULL},
    {"NOT", ONE_KEY, SEARCH_NOT, false, 0, NULL},
    {"OLD", NONE, SEARCH_RECENT, true, 0, NULL},
    {"ON", DATE, SEARCH_ON, false, 0, NULL},
    {"OR", TWO_KEYS, SEARCH_OR, false, 0, NULL},
    {"RECENT", NONE, SEARCH_RECENT, false, 0, NULL},
    {"SEEN", NONE, SEARCH_FLAG, false, MESSAGE_SEEN, NULL},
    {"SENTBEFORE", DATE, SEARCH_SENTBEFORE, false, 0, NULL},
    {"SENTON", DATE, SEARCH_SENTON, false, 0, NULL},
    {"SENTSINCE", DATE, SEARCH_SENTSINCE, false, 0, NULL},
    {"SINCE", DATE, SEARCH_SINCE, false, 0, NULL},
    {"SMALLER", SIZE, SEARCH_SMALLER, false, 0, NULL},
    {"SUBJECT", STRING, SEARCH_HEADER, false, 0, "Subject"},
    {"TEXT", STRING, SEARCH_TEXT, false, 0, NULL},
    {"TO", STRING, SEARCH_ADDRESS, false, 0, "To"},
    {"UID", UIDS, SEARCH_INDEXES, false, 0, NULL},
    {"UNANSWERED", NONE, SEARCH_FLAG, true, MESSAGE_ANSWERED, NULL},
    {"UNDELETED", NONE, SEARCH_FLAG, true, MESSAGE_DELETED, NULL},
    {"UNDRAFT", NONE, SEARCH_FLAG, true, MESSAGE_DRAFT, NULL},
    {"UNFLAGGED", NONE, SEARCH_FLAG, true, MESSAGE_FLAGGED, NULL},
    {"UNKEYWORD", KEYWORD, SEARCH_KEYWORD, true, 0, NULL},
    {"UNSEEN", NONE, SEARCH_FLAG, true, MESSAGE_SEEN, NULL},
};

struct compiler {
    struct imap_command *c;
    struct search_program *program;
    const struct imap_argument *at; /* next argument */
    struct str charset;             /* of texts */
    unsigned depth;
};

static bool take_key(struct compiler *p, struct search_node **node);

static struct search_node *new_node(struct compiler *p, enum search_kind kind)
{
    struct search_node *node = ARENA_NEW(p->c->arena, struct search_node);
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

/* --- charset --- */

/* Bytes that are not ASCII are taken as UTF-8 in both. */
static bool is_utf8_charset(struct str charset)
{
    return str_equal_nocase(charset, STR("UTF-8")) || str_equal_nocase(charset, STR("US-ASCII"));
}

static bool take_charset(struct imap_command *c, struct str *charset)
{
    struct str converted;
    *charset = STR("US-ASCII");
    if (!imap_argument_is(c->next, "CHARSET"))
        return true;
    c->next = c->next->next;
    if (!imap_take_astring(c, "a charset", charset))
        return false;
    if (is_utf8_charset(*charset) || charset_to_utf8(c->arena, *charset, STR("x"), &converted))
        return true;
    imap_no(c, "[BADCHARSET (US-ASCII UTF-8)] The charset is not supported");
    return false;
}

/* --- operands --- */

static bool take_text(struct compiler *p, struct search_node *node)
{
    const struct imap_argument *a = take(p);
    struct str text;
    if (!imap_argument_astring(a, &text)) {
        imap_expected(p->c, a, "a string to search for");
        return false;
    }
    if (!is_utf8_charset(p->charset))
        charset_to_utf8(p->c->arena, p->charset, text, &text);
    if (!str_is_utf8(text)) {
        imap_bad(p->c, "The string to search for is not valid UTF-8");
        return false;
    }
    if (text.n)
        node->key = search_key_new(p->c->arena, text);
    else if (node->kind == SEARCH_BODY || node->kind == SEARCH_TEXT)
        node->kind = SEARCH_ALL;
    return true;
}

static bool take_field(struct compiler *p, struct search_node *node)
{
    const struct imap_argument *a = take(p);
    if (!imap_argument_astring(a, &node->field)) {
        imap_expected(p->c, a, "the name of a header field");
        return false;
    }
    return take_text(p, node);
}

static bool take_date(struct compiler *p, struct search_node *node)
{
    const struct imap_argument *a = take(p);
    struct str text;
    if (!imap_argument_astring(a, &text) || !date_parse_imap_day(text, &node->day)) {
        imap_expected(p->c, a, "a date as in 21-Nov-2026");
        return false;
    }
    if (node->kind == SEARCH_BEFORE || node->kind == SEARCH_ON || node->kind == SEARCH_SINCE)
        p->program->needs_date = true;
    return true;
}

static bool take_size(struct compiler *p, struct search_node *node)
{
    const struct imap_argument *a = take(p);
    if (!a || a->type != IMAP_ATOM || !str_to_u64(a->text, &node->size)) {
        imap_expected(p->c, a, "a number of bytes");
        return false;
    }
    return true;
}

/* A keyword that the mailbox does not have matches nothing. */
static bool take_keyword(struct compiler *p, struct search_node *node)
{
    const struct imap_argument *a = take(p);
    size_t count;
    if (!a || a->type != IMAP_ATOM || !imap_is_atom(a->text)) {
        imap_expected(p->c, a, "a keyword");
        return false;
    }
    const struct str *keywords = mailbox_keywords(p->c->session->selected->mailbox, &count);
    for (size_t i = 0; i < count; i++)
        if (str_equal_nocase(keywords[i], a->text))
            node->keywords |= UINT32_C(1) << i;
    return true;
}

static bool take_set(struct compiler *p, struct search_node *node, bool uid)
{
    const struct imap_argument *a = take(p);
    const struct imap_selected *v = p->c->session->selected;
    struct number_set set;
    if (!a || a->type != IMAP_ATOM || !number_set_parse(p->c->arena, a->text, &set)) {
        imap_expected(p->c, a, uid ? "a set of UIDs" : "a search key");
        return false;
    }
    imap_selected_clip(v, p->c->arena, &set, uid, &node->indexes);
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
    if (!list->children) {
        imap_expected(p->c, list, "search keys in the list");
        return false;
    }
    const struct imap_argument *behind = p->at;
    p->at = list->children;
    bool ok = take_all(p, node);
    p->at = behind;
    return ok;
}

static bool take_named(struct compiler *p, const struct key_name *name, struct search_node **node)
{
    if (is_costly(name->kind) && ++p->program->costly > IMAP_SEARCH_KEYS_MAX) {
        imap_no(p->c, "[LIMIT] At most %d search keys may look into messages",
                IMAP_SEARCH_KEYS_MAX);
        return false;
    }
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
        if (imap_argument_is(a, names[i].name))
            return take_named(p, &names[i], node);
    if (a && imap_argument_is(a, "NEW")) {
        *node = new_messages(p);
        return true;
    }
    if (!a || a->type != IMAP_ATOM) {
        imap_expected(p->c, a, "a search key");
        return false;
    }
    p->at = a;
    *node = new_node(p, SEARCH_INDEXES);
    return take_set(p, *node, false);
}

static bool take_key(struct compiler *p, struct search_node **node)
{
    if (++p->depth > IMAP_SEARCH_DEPTH) {
        imap_no(p->c, "[LIMIT] Search keys may be nested %d deep", IMAP_SEARCH_DEPTH);
        return false;
    }
    bool ok = take_one(p, node);
    p->depth--;
    return ok;
}

bool search_take_keys(struct imap_command *c, struct search_program *program)
{
    *program = (struct search_program){0};
    struct str charset;
    if (!take_charset(c, &charset))
        return false;
    if (!c->next) {
        imap_expected(c, NULL, "a search key");
        return false;
    }
    struct compiler p = {.c = c, .program = program, .at = c->next, .charset = charset};
    c->next = NULL;
    return take_all(&p, &program->root);
}
