/*
 * In roff a line that begins with a dot is a request, and a hyphen is a minus only with a backslash
 * in front, so that commands can be copied out of a page.
 */
#include "core/manual_page.h"

#define PLAIN_WIDTH 78

static void add_escaped(struct buf *b, struct str text)
{
    if (text.n > 0 && (text.p[0] == '.' || text.p[0] == '\''))
        buf_add_c(b, "\\&");
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\\')
            buf_add_c(b, "\\e");
        else if (text.p[i] == '-')
            buf_add_c(b, "\\-");
        else if (text.p[i] == '\'')
            buf_add_c(b, "\\(aq");
        else
            buf_add_char(b, text.p[i]);
    }
}

static void add_roff_text(struct buf *b, struct str text)
{
    add_escaped(b, text);
    buf_add_char(b, '\n');
}

static void add_wrapped(struct buf *b, const char *text, int indent)
{
    struct str rest = str_from_c(text), word;
    int column = 0;
    while ((word = str_word(&rest)).p) {
        if (column > 0 && column + 1 + (int)word.n > PLAIN_WIDTH) {
            buf_add_char(b, '\n');
            column = 0;
        }
        if (column == 0)
            buf_printf(b, "%*s", indent, "");
        else
            buf_add_char(b, ' ');
        column = (column == 0 ? indent : column + 1) + (int)word.n;
        buf_add_str(b, word);
    }
    buf_add_char(b, '\n');
}

void manual_begin(struct manual_page *p, const char *name, int section)
{
    if (p->roff)
        buf_printf(p->b, ".TH %s %d \"\" \"maild " MAILD_VERSION "\"\n", name, section);
}

void manual_title(struct manual_page *p, const char *title)
{
    buf_printf(p->b, p->roff ? ".SH \"%s\"\n" : "\n%s\n", title);
}

void manual_subtitle(struct manual_page *p, const char *title)
{
    buf_printf(p->b, p->roff ? ".SS \"%s\"\n" : "\n  %s\n", title);
}

void manual_text(struct manual_page *p, const char *text, int indent)
{
    if (p->roff)
        add_roff_text(p->b, str_from_c(text));
    else
        add_wrapped(p->b, text, indent);
}

void manual_gap(struct manual_page *p)
{
    buf_add_c(p->b, p->roff ? ".PP\n" : "\n");
}

void manual_term(struct manual_page *p, const char *term, const char *rest, int indent)
{
    if (!p->roff) {
        buf_printf(p->b, "\n%*s%s%s%s\n", indent, "", term, rest ? " " : "", rest ? rest : "");
        return;
    }
    buf_add_c(p->b, ".TP\n\\fB");
    add_escaped(p->b, str_from_c(term));
    buf_add_c(p->b, "\\fR");
    if (rest) {
        buf_add_char(p->b, ' ');
        add_escaped(p->b, str_from_c(rest));
    }
    buf_add_char(p->b, '\n');
}

void manual_break(struct manual_page *p)
{
    if (p->roff)
        buf_add_c(p->b, ".br\n");
}

void manual_deeper(struct manual_page *p)
{
    if (p->roff)
        buf_add_c(p->b, ".RS\n");
}

void manual_back(struct manual_page *p)
{
    if (p->roff)
        buf_add_c(p->b, ".RE\n");
}

void manual_example_begin(struct manual_page *p)
{
    buf_add_c(p->b, p->roff ? ".PP\n.nf\n.RS 4\n" : "\n");
}

void manual_example_line(struct manual_page *p, struct str line, int indent)
{
    if (p->roff)
        add_roff_text(p->b, line);
    else
        buf_printf(p->b, "%*s%.*s\n", line.n > 0 ? indent : 0, "", STR_ARG(line));
}

void manual_example_end(struct manual_page *p)
{
    if (p->roff)
        buf_add_c(p->b, ".RE\n.fi\n");
}
