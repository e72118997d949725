/*
 * From a match to what the client is told: action, code, enhanced code, and a text that is one line
 * of printable ASCII whatever it was made from - helo names, addresses and answers of DNS are
 * strangers' words.
 */
#include "policy/limits.h"
#include "policy/policy_internal.h"

#include <stdarg.h>

void policy_why(struct policy_call *c, const char *format, ...)
{
    struct buf b = BUF_EMPTY;
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    c->why = arena_str(c->arena, str_head(buf_str(&b), POLICY_WHY_MAX));
    buf_free(&b);
}

/* --- words in braces --- */

static struct str or_else(struct str s, const char *missing)
{
    return s.n > 0 ? s : str_from_c(missing);
}

static struct str word_client(const struct policy_call *c)
{
    return str_from_c(c->facts->address);
}
static struct str word_name(const struct policy_call *c)
{
    const struct policy_memo *m = &c->session->memo;
    if (!c->facts->name && m->name_status == CLIENT_NAME_CONFIRMED)
        return m->name;
    return or_else(str_from_c(c->facts->name), "unknown");
}
static struct str word_helo(const struct policy_call *c)
{
    return or_else(c->facts->helo, "(none)");
}
static struct str word_login(const struct policy_call *c)
{
    return or_else(c->facts->login, "(none)");
}
static struct str word_sender(const struct policy_call *c)
{
    return c->facts->sender;
}
static struct str word_recipient(const struct policy_call *c)
{
    return c->facts->recipient;
}
static struct str word_rule(const struct policy_call *c)
{
    return str_from_c(c->rule->settings->name);
}
static struct str word_why(const struct policy_call *c)
{
    return c->why;
}

static const struct brace_word {
    const char *name;
    struct str (*value)(const struct policy_call *c);
} words[] = {
    {"client", word_client}, {"name", word_name},     {"helo", word_helo},
    {"login", word_login},   {"sender", word_sender}, {"recipient", word_recipient},
    {"rule", word_rule},     {"why", word_why},
};

static const struct brace_word *find_word(struct str name)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (str_equal(name, str_from_c(words[i].name)))
            return &words[i];
    return NULL;
}

bool policy_text_is_valid(struct str text, struct err *e)
{
    for (;;) {
        ptrdiff_t open = str_find_char(text, '{');
        if (open < 0)
            return true;
        text = str_skip(text, (size_t)open + 1);
        ptrdiff_t close = str_find_char(text, '}');
        if (close < 0)
            return err_set(e, ERR_SYNTAX, "\"{\" without \"}\"");
        if (!find_word(str_head(text, (size_t)close)))
            return err_set(e, ERR_SYNTAX, "\"{%.*s}\" is unknown", close < 40 ? (int)close : 40,
                           text.p);
        text = str_skip(text, (size_t)close + 1);
    }
}

static void add_printable(struct buf *b, struct str s, size_t max)
{
    for (size_t i = 0; i < s.n && b->n < max; i++) {
        unsigned char c = (unsigned char)s.p[i];
        buf_add_char(b, c >= ' ' && c < 127 ? (char)c : '?');
    }
}

static struct str expand(const struct policy_call *c, struct str pattern, size_t max)
{
    struct buf b = BUF_EMPTY;
    while (pattern.n > 0) {
        ptrdiff_t open = str_find_char(pattern, '{');
        ptrdiff_t close = open < 0 ? -1 : str_find_char(str_skip(pattern, (size_t)open), '}');
        if (close < 0) {
            add_printable(&b, pattern, max);
            break;
        }
        add_printable(&b, str_head(pattern, (size_t)open), max);
        const struct brace_word *word =
            find_word(str_from(pattern.p + open + 1, (size_t)close - 1));
        if (word)
            add_printable(&b, word->value(c), max);
        pattern = str_skip(pattern, (size_t)(open + close) + 1);
    }
    struct str text = arena_str(c->arena, str_trim(buf_str(&b)));
    buf_free(&b);
    return text;
}

struct str policy_text(const struct policy_call *c, struct str pattern)
{
    return expand(c, pattern, POLICY_TEXT_MAX);
}

/* --- the header line of a tag --- */

/* RFC 5322 2.2: printable ASCII but the colon. */
static size_t name_length(struct str line)
{
    size_t n = 0;
    while (n < line.n && line.p[n] > ' ' && line.p[n] < 127 && line.p[n] != ':')
        n++;
    return n < line.n && line.p[n] == ':' ? n : 0;
}

bool policy_header_is_valid(struct str line)
{
    for (size_t i = 0; i < line.n; i++)
        if ((unsigned char)line.p[i] < ' ' || line.p[i] == 127)
            return false;
    size_t n = name_length(line);
    return n > 0 && n <= 76 && str_trim(str_skip(line, n + 1)).n > 0;
}

struct str policy_tag_line(const struct policy_call *c)
{
    struct str header = str_from_c(c->rule->settings->header);
    size_t n = name_length(header);
    if (n == 0)
        return STR("");
    struct str value = c->text.n > 0 ? c->text : str_skip(header, n + 1);
    value = expand(c, value, POLICY_HEADER_MAX);
    return arena_printf(c->arena, "%.*s: %.*s", (int)n, header.p, STR_ARG(value));
}

/* --- code and text --- */

bool policy_action_refuses(enum policy_action action)
{
    return action == POLICY_DEFER || action == POLICY_REJECT || action == POLICY_DISCONNECT;
}

static int code_of(const struct policy_call *c, enum policy_action action)
{
    const struct policy_rule *r = c->rule;
    bool as_said = action == r->action;
    if (c->code > 0)
        return c->code;
    if (as_said && r->settings->code > 0)
        return (int)r->settings->code;
    if (action == POLICY_DISCONNECT)
        return 421;
    if (action == POLICY_DEFER) /* RFC 5321 3.1, 3.8: before the greeting it is 421 or 554 */
        return c->stage == POLICY_CONNECT ? 421 : 450;
    if (action != POLICY_REJECT)
        return 0;
    return c->stage == POLICY_CONNECT ? 554 : r->check->code;
}

/* The class is the code's. */
static const char *enhanced_of(const struct policy_call *c, enum policy_action action, int code)
{
    const char *said = c->rule->settings->enhanced, *usual = c->rule->check->enhanced;
    char class = (char)('0' + code / 100);
    if (action == c->rule->action && said[0] == class)
        return said;
    if (action == POLICY_REJECT && usual[0] == class)
        return usual;
    return arena_printf(c->arena, "%c%s", class, usual + 1).p;
}

void policy_verdict_make(const struct policy_call *c, struct policy_verdict *v)
{
    const struct rule_settings *s = c->rule->settings;
    *v = (struct policy_verdict){
        .action = c->has_action ? c->action : c->rule->action, .rule = s->name, .delay = s->delay};
    if (v->action == POLICY_TAG)
        v->text = policy_tag_line(c);
    v->code = code_of(c, v->action);
    if (v->code == 0)
        return;
    v->enhanced = enhanced_of(c, v->action, v->code);
    struct str pattern = c->text.n > 0 ? c->text
                         : s->text[0]  ? str_from_c(s->text)
                                       : str_from_c(c->rule->check->text);
    v->text = policy_text(c, pattern);
}
