/*
 * maild.conf(5) from the settings tables: what each setting takes, its default and what it is for.
 * In roff for man(1), or as plain text for a terminal; the frame is the same, only the marks
 * around titles, terms and paragraphs differ.
 */
#include "core/config.h"

#define PLAIN_WIDTH 78

struct page {
    struct buf *b;
    bool roff;
};

static void add_roff_text(struct buf *b, const char *text)
{
    if (*text == '.' || *text == '\'')
        buf_add_c(b, "\\&");
    for (; *text; text++) {
        if (*text == '\\')
            buf_add_c(b, "\\e");
        else if (*text == '-')
            buf_add_c(b, "\\-");
        else
            buf_add_char(b, *text);
    }
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

static void add_title(struct page *p, const char *title)
{
    if (p->roff) {
        buf_printf(p->b, ".SH \"%s\"\n", title);
        return;
    }
    buf_printf(p->b, "\n%s\n", title);
}

static void add_paragraph(struct page *p, const char *text, int indent)
{
    if (p->roff)
        add_roff_text(p->b, text);
    else
        add_wrapped(p->b, text, indent);
}

static void add_new_paragraph(struct page *p)
{
    buf_add_c(p->b, p->roff ? ".PP\n" : "\n");
}

static void add_example(struct page *p, const char *const *lines)
{
    buf_add_c(p->b, p->roff ? ".PP\n.nf\n.RS 4\n" : "\n");
    for (; *lines; lines++) {
        if (p->roff)
            add_roff_text(p->b, *lines);
        else
            buf_printf(p->b, "%s%s\n", **lines ? "        " : "", *lines);
    }
    buf_add_c(p->b, p->roff ? ".RE\n.fi\n" : "");
}

static void add_setting(struct page *p, const struct setting *s)
{
    struct buf line = BUF_EMPTY;
    if (p->roff)
        buf_printf(p->b, ".TP\n.B %s\n", s->name);
    else
        buf_printf(p->b, "\n    %s\n", s->name);
    add_paragraph(p, s->help ? s->help : "", 8);
    if (p->roff)
        buf_add_c(p->b, ".br\n");
    buf_add_c(&line, "Takes ");
    config_value_expected(s, &line);
    if (!s->default_text)
        buf_add_c(&line, ". Must be set.");
    else if (s->default_text[0] == '\0')
        buf_add_c(&line, ". Default: empty.");
    else
        buf_printf(&line, ". Default: %s", s->default_text);
    add_paragraph(p, buf_c(&line), 8);
    buf_free(&line);
}

static void add_block(struct page *p, const struct settings_block *block)
{
    struct buf title = BUF_EMPTY;
    if (block->name[0] == '\0')
        buf_add_c(&title, "GENERAL SETTINGS");
    else
        buf_printf(&title, "%s %s{ ... }", block->name, block->named ? "NAME " : "");
    add_title(p, buf_c(&title));
    buf_free(&title);
    if (block->help)
        add_paragraph(p, block->help, 4);
    for (const struct setting *s = block->settings; s->name; s++)
        add_setting(p, s);
}

static void add_syntax(struct page *p)
{
    static const char *const example[] = {
        "# a comment",
        "hostname = mail.example.org",
        "",
        "listener mx {",
        "    protocol = smtp",
        "    address = 192.0.2.25:25, [2001:db8::25]:25",
        "}",
        "",
        "include conf.d/*.conf",
        NULL,
    };
    add_title(p, "SYNTAX");
    add_paragraph(
        p,
        "One setting stands on a line: its name, \"=\" and its value; \";\" ends a setting "
        "too. Settings that belong together stand in a block. \"#\" begins a comment.",
        4);
    add_example(p, example);
    add_new_paragraph(p);
    add_paragraph(p,
                  "Values with blanks, commas, semicolons, braces or \"#\" stand in double quotes; "
                  "inside them \\\" \\\\ \\n \\r \\t mean what they mean in C. The members of a "
                  "list are separated by commas or blanks; a line that ends in a comma goes on in "
                  "the next one.",
                  4);
    add_new_paragraph(p);
    add_paragraph(p,
                  "Sizes have a unit K, M, G or T (powers of 1024) or are plain bytes. Durations "
                  "have a unit: ms, s, m (minutes), h, d or w, also together as in 1h30m. A secret "
                  "can be kept out of the file: \"<path\" means the first line of that file.",
                  4);
    add_new_paragraph(p);
    add_paragraph(
        p,
        "\"include path\" reads another file in this place; the last part of the path may "
        "be a pattern (* ? [...]), whose files are read in the order of their names. "
        "Relative paths begin in the folder of the main configuration file.",
        4);
}

void config_manual(const struct settings_block *const *blocks, bool roff, struct buf *b)
{
    struct page p = {b, roff};
    if (roff)
        buf_add_c(b, ".TH MAILD.CONF 5 \"\" \"maild " MAILD_VERSION "\"\n");
    add_title(&p, "NAME");
    add_paragraph(&p, "maild.conf - configuration of the mail server maild", 4);
    add_title(&p, "DESCRIPTION");
    add_paragraph(
        &p,
        "The server and mailctl read one file, /etc/maild/maild.conf unless they are told "
        "otherwise. \"mailctl config check\" says whether a file is correct, \"mailctl "
        "config show\" prints all settings that are in effect.",
        4);
    add_syntax(&p);
    for (size_t i = 0; blocks[i]; i++)
        add_block(&p, blocks[i]);
    add_title(&p, "SEE ALSO");
    add_paragraph(&p, "maild(8), mailctl(1)", 4);
}
