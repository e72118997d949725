/*
 * Filters, bases and paths with placeholders. A template is a list of parts: texts, values, and -
 * in filters - the beginning of a comparison that has placeholders in it, with what it needs and
 * where it ends. The parser reads the whole grammar of RFC 4515 section 3 (and of distinguished
 * names, RFC 4514 section 3, as far as it takes to know where a value is), so a mistake in the
 * configuration is found when it is read, and a placeholder can only stand where a value stands.
 *
 * Values are escaped for their place: in filters * ( ) \ NUL and control characters as \XX, and
 * everything beyond ASCII unless it is UTF-8; in names what RFC 4514 section 2.4 lists; in paths as
 * directory_name.c does it: '/' '%' control characters and a dot in front become %XX.
 *
 * A comparison whose placeholder has no value (the domain of a login without one) becomes one that
 * no entry meets: (!(objectClass=*)). RFC 4526 has "(|)" for that, which Active Directory does not
 * know.
 */
#include "auth/ldap_filter.h"

#include "core/buf.h"

static const char *const names[LDAP_PLACEHOLDERS] = {
    [LDAP_LOGIN] = "login", [LDAP_USER] = "user",           [LDAP_ADDRESS] = "address",
    [LDAP_LOCAL] = "local", [LDAP_DOMAIN] = "domain",       [LDAP_DEFAULT_LOCAL] = "default_local",
    [LDAP_DN] = "dn",       [LDAP_DOMAIN_DN] = "domain_dn", [LDAP_HOST] = "host",
    [LDAP_ID] = "id",
};

struct part {
    enum { PART_TEXT, PART_VALUE, PART_ITEM } kind;
    struct str text;             /* PART_TEXT */
    enum ldap_placeholder value; /* PART_VALUE */
    unsigned needs;              /* PART_ITEM: set of placeholders */
    size_t end;                  /* PART_ITEM: the part behind it */
};

struct ldap_template {
    enum ldap_template_kind kind;
    unsigned needs;
    struct part *parts;
    size_t count;
};

/* --- parsing --- */

struct parser {
    struct ldap_template *t;
    const char *setting;
    struct str text;
    size_t at, flushed; /* what is before is in parts */
    size_t item;        /* where the comparison begins in which we are */
    struct part *open;  /* its part, once there is a placeholder in it */
    unsigned allowed;
    struct err *e;
};

static bool fail(struct parser *p, const char *what)
{
    return err_set(p->e, ERR_SYNTAX, "%s: character %zu: %s", p->setting, p->at + 1, what);
}

static char peek(const struct parser *p)
{
    return p->at < p->text.n ? p->text.p[p->at] : '\0';
}

static bool at_end(const struct parser *p)
{
    return p->at == p->text.n;
}

static void flush(struct parser *p, size_t to)
{
    if (to > p->flushed)
        p->t->parts[p->t->count++] = (struct part){
            .kind = PART_TEXT, .text = str_from(p->text.p + p->flushed, to - p->flushed)};
    p->flushed = to;
}

static bool find_placeholder(struct parser *p, struct str name, enum ldap_placeholder *found)
{
    for (size_t i = 0; i < LDAP_PLACEHOLDERS; i++) {
        if (!str_equal(name, str_from_c(names[i])))
            continue;
        *found = (enum ldap_placeholder)i;
        if (p->allowed & LDAP_HAS(i))
            return true;
        return err_set(p->e, ERR_SYNTAX, "%s: character %zu: {%s} has no value here", p->setting,
                       p->at + 1, names[i]);
    }
    return err_set(p->e, ERR_SYNTAX, "%s: character %zu: {%.*s} is no placeholder", p->setting,
                   p->at + 1, STR_ARG(str_head(name, 40)));
}

/* At '{'. */
static bool parse_placeholder(struct parser *p, enum ldap_placeholder *found)
{
    struct str rest = str_skip(p->text, p->at + 1);
    ptrdiff_t end = str_find_char(rest, '}');
    if (end < 0)
        return fail(p, "no } for this {; the character itself is written \\7b");
    if (!find_placeholder(p, str_head(rest, (size_t)end), found))
        return false;
    if (p->t->kind == LDAP_TEMPLATE_FILTER && !p->open) {
        flush(p, p->item);
        p->open = &p->t->parts[p->t->count++];
        p->open->kind = PART_ITEM;
    }
    flush(p, p->at);
    p->t->parts[p->t->count++] = (struct part){.kind = PART_VALUE, .value = *found};
    p->t->needs |= LDAP_HAS(*found);
    if (p->open)
        p->open->needs |= LDAP_HAS(*found);
    p->at += (size_t)end + 2;
    p->flushed = p->at;
    return true;
}

static bool at_hex_pair(const struct parser *p)
{
    return p->at + 2 < p->text.n && char_hex_value(p->text.p[p->at + 1]) >= 0 &&
           char_hex_value(p->text.p[p->at + 2]) >= 0;
}

static bool is_attribute_char(char c)
{
    char l = char_lower(c);
    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ';' ||
           c == '_';
}

/* "attr=", "attr>=", "attr<=", "attr~=", "attr:dn:rule:=" */
static bool parse_comparison(struct parser *p)
{
    size_t start = p->at;
    while (is_attribute_char(peek(p)) || peek(p) == ':')
        p->at++;
    if (p->at == start)
        return fail(p, "expected the name of an attribute");
    if (peek(p) == '~' || peek(p) == '<' || peek(p) == '>')
        p->at++;
    if (peek(p) != '=')
        return fail(p, "expected =");
    p->at++;
    return true;
}

static bool parse_item(struct parser *p, size_t start)
{
    enum ldap_placeholder found;
    p->item = start;
    p->open = NULL;
    if (!parse_comparison(p))
        return false;
    while (!at_end(p) && peek(p) != ')') {
        char c = peek(p);
        if (c == '{') {
            if (!parse_placeholder(p, &found))
                return false;
            continue;
        }
        if (c == '(' || c == '}' || c == '\0')
            return fail(p, "this character must be written as \\ and two hexadecimal digits here");
        if (c == '\\' && !at_hex_pair(p))
            return fail(p, "expected two hexadecimal digits behind \\");
        p->at += c == '\\' ? 3 : 1;
    }
    return true;
}

static bool parse_filter(struct parser *p, unsigned depth)
{
    size_t start = p->at;
    if (depth > LDAP_FILTER_DEPTH_MAX)
        return fail(p, "too many filters inside of each other");
    if (peek(p) != '(')
        return fail(p, "expected (");
    p->at++;
    char c = peek(p);
    if (c == '&' || c == '|' || c == '!') {
        p->at++;
        do {
            if (!parse_filter(p, depth + 1))
                return false;
        } while (c != '!' && peek(p) == '(');
        p->open = NULL;
    } else if (!parse_item(p, start)) {
        return false;
    }
    if (peek(p) != ')')
        return fail(p, "expected )");
    p->at++;
    if (p->open) {
        flush(p, p->at);
        p->open->end = p->t->count;
        p->open = NULL;
    }
    return true;
}

/* "type=value" or a placeholder that stands for several. */
static bool parse_rdn(struct parser *p)
{
    enum ldap_placeholder found;
    if (peek(p) == '{') {
        if (!parse_placeholder(p, &found))
            return false;
        return found == LDAP_DOMAIN_DN || fail(p, "only {domain_dn} can stand without a name=");
    }
    size_t start = p->at;
    while (is_attribute_char(peek(p)))
        p->at++;
    if (p->at == start || peek(p) != '=')
        return fail(p, "expected name=value");
    p->at++;
    while (!at_end(p) && peek(p) != ',' && peek(p) != '+') {
        char c = peek(p);
        if (c == '{') {
            if (!parse_placeholder(p, &found))
                return false;
            if (found == LDAP_DOMAIN_DN)
                return fail(p, "{domain_dn} has its own names, it cannot stand behind =");
            continue;
        }
        if (c == '"' || c == ';' || c == '<' || c == '>' || c == '}' || c == '\0')
            return fail(p, "this character needs a \\ in front");
        if (c == '\\') {
            if (p->at + 1 == p->text.n)
                return fail(p, "\\ at the end");
            p->at += at_hex_pair(p) ? 2 : 1;
        }
        p->at++;
    }
    return true;
}

static bool parse_base(struct parser *p)
{
    if (at_end(p))
        return true;
    for (;;) {
        while (peek(p) == ' ')
            p->at++;
        if (!parse_rdn(p))
            return false;
        if (at_end(p))
            return true;
        if (peek(p) != ',' && peek(p) != '+')
            return fail(p, "expected ,");
        p->at++;
    }
}

static bool parse_path(struct parser *p)
{
    enum ldap_placeholder found;
    while (!at_end(p)) {
        if (peek(p) == '{') {
            if (!parse_placeholder(p, &found))
                return false;
            continue;
        }
        if (peek(p) == '}' || (unsigned char)peek(p) < ' ')
            return fail(p, "this character cannot stand in a path");
        bool first = p->at == 0 || p->text.p[p->at - 1] == '/';
        if (first && (peek(p) == '/' || peek(p) == '.'))
            return fail(p, "expected a path below the store's, no part of which begins with a dot");
        p->at++;
    }
    if (p->text.n == 0 || p->text.p[p->text.n - 1] == '/')
        return fail(p, "expected the name of a folder");
    return true;
}

static size_t parts_max(struct str text)
{
    size_t n = 2;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '{' ? 5 : 0;
    return n;
}

const struct ldap_template *ldap_template_parse(struct arena *a, enum ldap_template_kind kind,
                                                const char *setting, struct str text,
                                                unsigned allowed, struct err *e)
{
    if (text.n > LDAP_TEMPLATE_MAX) {
        err_set(e, ERR_SYNTAX, "%s: longer than %d bytes", setting, LDAP_TEMPLATE_MAX);
        return NULL;
    }
    struct ldap_template *t = ARENA_NEW(a, struct ldap_template);
    struct parser p = {
        .t = t, .setting = setting, .text = arena_str(a, text), .allowed = allowed, .e = e};
    t->kind = kind;
    t->parts = arena_array(a, parts_max(text), sizeof(*t->parts));
    bool ok = kind == LDAP_TEMPLATE_FILTER ? parse_filter(&p, 0)
              : kind == LDAP_TEMPLATE_BASE ? parse_base(&p)
                                           : parse_path(&p);
    if (ok && !at_end(&p))
        ok = fail(&p, "expected the end");
    flush(&p, text.n);
    return ok ? t : NULL;
}

unsigned ldap_template_needs(const struct ldap_template *t)
{
    return t->needs;
}

/* --- values --- */

/* What was filled in can be read as a template again, and is the same. */
static bool is_brace(unsigned char c)
{
    return c == '{' || c == '}';
}

void ldap_add_filter_bytes(struct buf *b, struct str value)
{
    for (size_t i = 0; i < value.n; i++)
        buf_printf(b, "\\%02x", (unsigned char)value.p[i]);
}

void ldap_add_filter_value(struct buf *b, struct str value)
{
    bool utf8 = str_is_utf8(value);
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (c == '*' || c == '(' || c == ')' || c == '\\' || is_brace(c) || c < ' ' || c == 0x7f ||
            (c > 0x7f && !utf8))
            buf_printf(b, "\\%02x", c);
        else
            buf_add_char(b, (char)c);
    }
}

void ldap_add_dn_value(struct buf *b, struct str value)
{
    bool utf8 = str_is_utf8(value);
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        bool edge = (i == 0 && (c == ' ' || c == '#')) || (i + 1 == value.n && c == ' ');
        if (c < ' ' || c == 0x7f || is_brace(c) || (c > 0x7f && !utf8)) {
            buf_printf(b, "\\%02x", c);
        } else {
            if (edge || (c < 0x80 && strchr(",+\"\\<>;=", c)))
                buf_add_char(b, '\\');
            buf_add_char(b, (char)c);
        }
    }
}

static void add_domain_dn(struct buf *b, struct str domain)
{
    const char *separator = "";
    while (domain.p) {
        struct str label = str_split(&domain, '.');
        buf_printf(b, "%sdc=", separator);
        ldap_add_dn_value(b, label);
        separator = ",";
    }
}

/* One component of a path, wherever it stands in it. */
static void add_path_value(struct buf *b, struct str value)
{
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (c < ' ' || c == 0x7f || c == '/' || c == '%' || (c == '.' && i == 0))
            buf_printf(b, "%%%02X", c);
        else
            buf_add_char(b, (char)c);
    }
}

static void add_value(struct buf *b, enum ldap_template_kind kind, enum ldap_placeholder which,
                      const struct ldap_values *v)
{
    struct str value = v->of[which];
    if (which == LDAP_DOMAIN_DN)
        add_domain_dn(b, value);
    else if (kind == LDAP_TEMPLATE_FILTER)
        ldap_add_filter_value(b, value);
    else if (kind == LDAP_TEMPLATE_BASE)
        ldap_add_dn_value(b, value);
    else
        add_path_value(b, value);
}

static unsigned known(const struct ldap_values *v)
{
    unsigned set = 0;
    for (size_t i = 0; i < LDAP_PLACEHOLDERS; i++)
        if (v->of[i].n > 0)
            set |= LDAP_HAS(i);
    return set;
}

static struct str fill(const struct ldap_template *t, const struct ldap_values *v, struct arena *a)
{
    struct buf b = BUF_EMPTY;
    unsigned has = known(v);
    for (size_t i = 0; i < t->count; i++) {
        const struct part *part = &t->parts[i];
        if (part->kind == PART_TEXT) {
            buf_add_str(&b, part->text);
        } else if (part->kind == PART_VALUE) {
            add_value(&b, t->kind, part->value, v);
        } else if (part->needs & ~has) {
            buf_add_c(&b, "(!(objectClass=*))");
            i = part->end - 1;
        }
    }
    struct str text = arena_str(a, buf_str(&b));
    buf_free(&b);
    return text;
}

struct str ldap_filter_text(const struct ldap_template *t, const struct ldap_values *v,
                            struct arena *a)
{
    return fill(t, v, a);
}

bool ldap_template_text(const struct ldap_template *t, const struct ldap_values *v, struct arena *a,
                        struct str *text)
{
    if (t->needs & ~known(v))
        return false;
    *text = fill(t, v, a);
    return true;
}
