/*
 * Address lists of header fields (RFC 5322 3.4 and 4.4), read leniently: whatever people and
 * programs write there has to be shown somehow. One pass, element by element, without backtracking:
 *
 *     a@b            word(s) "@" domain
 *     Name <a@b>     phrase, angle address; the name may contain anything, even an unquoted @
 *     a@b (Name)     the old form: the comment is the name
 *     Name: a, b;    a group
 *     Name           no address at all: only a name (missing mailbox and domain are empty strings)
 *
 * While words are read two buffers grow: `phrase` holds all words of the element separated by one
 * space, `run` only the last run of words joined by dots, which is the local part if an @ follows.
 * What cannot be understood is skipped up to the next comma outside of quotes and comments.
 */
#include "mime/address.h"
#include "mime/lexer.h"
#include "mime/limits.h"

struct list_parser {
    struct arena *arena;
    struct lexer lexer;
    struct buf found;  /* array of struct mailbox_address */
    struct buf phrase; /* all words of this element */
    struct buf run;    /* the last ones, joined by dots */
    size_t run_start;  /* where the run begins in the phrase */
    bool in_group;
};

static const struct str none = {NULL, 0};

static struct str keep(struct list_parser *p, struct str s)
{
    return s.p ? arena_str(p->arena, s) : none;
}

static void add(struct list_parser *p, struct mailbox_address m)
{
    buf_add(&p->found, &m, sizeof(m));
}

/* A semicolon ends an element even outside of a group: some programs separate with it. */
static void skip_to_next(struct list_parser *p)
{
    lexer_skip_to(&p->lexer, ",;");
}

/* The words joined by dots of a domain, or a literal; moves behind it. */
static void read_domain(struct list_parser *p, struct buf *out)
{
    struct lexer *l = &p->lexer;
    for (;;) {
        lexer_skip_space(l);
        if (lexer_at(l, '[')) {
            for (; !lexer_at_end(l) && strchr("],>", *l->p) == NULL; l->p++)
                if ((unsigned char)*l->p > ' ')
                    buf_add_char(out, *l->p);
            if (lexer_at(l, ']')) {
                buf_add_char(out, ']');
                l->p++;
            }
        } else {
            buf_add_str(out, lexer_atom(l));
        }
        lexer_skip_space(l);
        if (!lexer_at(l, '.'))
            return;
        buf_add_char(out, '.');
        l->p++;
    }
}

/* "@a,@b:" in front of the address; p == NULL when there is none. */
static struct str read_route(struct list_parser *p)
{
    struct lexer *l = &p->lexer;
    struct buf route = BUF_EMPTY;
    while (lexer_at(l, '@')) {
        l->p++;
        if (route.n > 0)
            buf_add_char(&route, ',');
        buf_add_char(&route, '@');
        read_domain(p, &route);
        while (lexer_at(l, ',')) {
            l->p++;
            lexer_skip_space(l);
        }
    }
    if (lexer_at(l, ':'))
        l->p++;
    struct str kept = keep(p, buf_str(&route));
    buf_free(&route);
    return kept;
}

/* Words, dots and spaces up to one of @ , > : ; or the like, appended to out. */
static void read_local(struct list_parser *p, struct buf *out)
{
    struct lexer *l = &p->lexer;
    bool word_before = false;
    for (;;) {
        lexer_skip_space(l);
        if (lexer_at(l, '.')) {
            buf_add_char(out, '.');
            l->p++;
            word_before = false;
            continue;
        }
        if (lexer_at(l, '"')) {
            if (word_before)
                buf_add_char(out, ' ');
            lexer_quoted(l, out);
        } else {
            struct str word = lexer_atom(l);
            if (word.n == 0)
                return;
            if (word_before)
                buf_add_char(out, ' ');
            buf_add_str(out, word);
        }
        word_before = true;
    }
}

/* Behind "<". */
static void read_angle_address(struct list_parser *p, struct str name)
{
    struct lexer *l = &p->lexer;
    struct mailbox_address m = {name, none, STR(""), STR("")};
    struct buf text = BUF_EMPTY;
    lexer_skip_space(l);
    if (lexer_at(l, '@'))
        m.route = read_route(p);
    read_local(p, &text);
    m.local = keep(p, buf_str(&text));
    if (lexer_at(l, '@')) {
        l->p++;
        buf_clear(&text);
        read_domain(p, &text);
        m.domain = keep(p, buf_str(&text));
    }
    buf_free(&text);
    lexer_skip_to(l, ">,");
    if (lexer_at(l, '>'))
        l->p++;
    add(p, m);
    skip_to_next(p);
}

/* What stands between two pointers as a name: unfolded, spaces joined. */
static struct str raw_name(struct list_parser *p, const char *start, const char *end)
{
    struct buf out = BUF_EMPTY;
    for (; start < end; start++) {
        bool space = *start == ' ' || *start == '\t' || *start == '\r' || *start == '\n';
        if (!space)
            buf_add_char(&out, *start);
        else if (out.n > 0 && out.p[out.n - 1] != ' ')
            buf_add_char(&out, ' ');
    }
    struct str name = keep(p, str_trim(buf_str(&out)));
    buf_free(&out);
    return name;
}

static struct str comment_name(struct list_parser *p)
{
    if (p->lexer.comment.p == NULL)
        return none;
    struct buf out = BUF_EMPTY;
    lexer_add_comment(&out, p->lexer.comment);
    struct str name = out.n > 0 ? keep(p, buf_str(&out)) : none;
    buf_free(&out);
    return name;
}

static struct str phrase_name(struct list_parser *p, size_t n)
{
    struct str name = str_trim(str_head(buf_str(&p->phrase), n));
    return name.n > 0 ? keep(p, name) : none;
}

/* At "@": the run before it is the local part, words before that are a name. */
static void read_plain_address(struct list_parser *p, const char *start)
{
    struct lexer *l = &p->lexer;
    struct mailbox_address m = {phrase_name(p, p->run_start), none, keep(p, buf_str(&p->run)),
                                none};
    struct buf domain = BUF_EMPTY;
    l->p++;
    read_domain(p, &domain);
    m.domain = keep(p, buf_str(&domain));
    buf_free(&domain);
    if (lexer_at(l, '<')) {
        /* a@b.test <a@b.test>: an address as the name, without the quotes it needs. */
        struct str name = raw_name(p, start, l->p);
        l->p++;
        read_angle_address(p, name);
        return;
    }
    skip_to_next(p);
    if (m.name.p == NULL)
        m.name = comment_name(p);
    add(p, m);
}

/* At a comma, a semicolon or the end: no address in this element. */
static void end_without_address(struct list_parser *p)
{
    if (p->phrase.n == 0)
        return;
    bool one_word = p->run_start == 0 && str_find_char(buf_str(&p->run), ' ') < 0;
    if (one_word)
        add(p, (struct mailbox_address){comment_name(p), none, keep(p, buf_str(&p->run)), STR("")});
    else
        add(p, (struct mailbox_address){phrase_name(p, p->phrase.n), none, STR(""), STR("")});
}

/* The next word or dot into phrase and run; false when something else is there. */
static bool read_word(struct list_parser *p, bool space_before)
{
    struct lexer *l = &p->lexer;
    if (lexer_at(l, '.')) {
        buf_add_char(&p->phrase, '.');
        buf_add_char(&p->run, '.');
        l->p++;
        return true;
    }
    bool joined = p->run.n > 0 && (p->run.p[p->run.n - 1] == '.' || !space_before);
    bool quoted = lexer_at(l, '"');
    struct str atom = quoted ? STR("") : lexer_atom(l);
    if (!quoted && atom.n == 0)
        return false;
    if (space_before && p->phrase.n > 0)
        buf_add_char(&p->phrase, ' ');
    if (!joined) {
        buf_clear(&p->run);
        p->run_start = p->phrase.n;
    }
    size_t before = p->phrase.n;
    if (quoted)
        lexer_quoted(l, &p->phrase);
    else
        buf_add_str(&p->phrase, atom);
    buf_add_str(&p->run, str_skip(buf_str(&p->phrase), before));
    return true;
}

static void start_group(struct list_parser *p)
{
    p->lexer.p++;
    if (p->in_group)
        return; /* a stray colon: groups do not nest */
    add(p, (struct mailbox_address){none, none, keep(p, buf_str(&p->phrase)), none});
    p->in_group = true;
}

static void end_group(struct list_parser *p)
{
    if (p->in_group)
        add(p, (struct mailbox_address){none, none, none, none});
    p->in_group = false;
}

/* One element up to the comma, semicolon or end behind it. */
static void read_element(struct list_parser *p)
{
    struct lexer *l = &p->lexer;
    buf_clear(&p->phrase);
    buf_clear(&p->run);
    p->run_start = 0;
    l->comment = none;
    lexer_skip_space(l);
    const char *start = l->p, *word_end = l->p;
    for (;;) {
        lexer_skip_space(l);
        if (read_word(p, l->p > word_end)) {
            word_end = l->p;
        } else if (lexer_at(l, '<')) {
            struct str name = phrase_name(p, p->phrase.n);
            l->p++;
            read_angle_address(p, name);
            return;
        } else if (lexer_at(l, '@')) {
            read_plain_address(p, start);
            return;
        } else if (lexer_at(l, ':')) {
            start_group(p);
            return;
        } else if (lexer_at_end(l) || *l->p == ',' || *l->p == ';') {
            end_without_address(p);
            return;
        } else {
            l->p++; /* )>[]\ where they make no sense */
        }
    }
}

struct mailbox_address *address_list_parse(struct arena *a, struct str value, size_t *count)
{
    struct list_parser p = {.arena = a, .lexer = lexer_on(value)};
    size_t size = sizeof(struct mailbox_address);
    while (!lexer_at_end(&p.lexer) && p.found.n / size < MIME_ADDRESSES_MAX) {
        read_element(&p);
        if (lexer_at(&p.lexer, ';')) {
            end_group(&p);
            p.lexer.p++;
        } else if (lexer_at(&p.lexer, ',')) {
            p.lexer.p++;
        }
    }
    end_group(&p);
    *count = p.found.n / size;
    struct mailbox_address *list = arena_array(a, *count, size);
    if (*count > 0)
        memcpy(list, p.found.p, p.found.n);
    buf_free(&p.found);
    buf_free(&p.phrase);
    buf_free(&p.run);
    return list;
}
