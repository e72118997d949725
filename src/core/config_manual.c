/*
 * maild.conf(5) from the settings tables: what each setting takes, its default and what it is for.
 */
#include "core/config.h"
#include "core/manual_page.h"

#define INDENT 4
#define DEEPER 8

static void add_example(struct manual_page *p, const char *const *lines)
{
    manual_example_begin(p);
    for (; *lines; lines++)
        manual_example_line(p, str_from_c(*lines), DEEPER);
    manual_example_end(p);
}

static void add_setting(struct manual_page *p, const struct setting *s)
{
    struct buf line = BUF_EMPTY;
    manual_term(p, s->name, NULL, INDENT);
    manual_text(p, s->help ? s->help : "", DEEPER);
    manual_break(p);
    buf_add_c(&line, "Takes ");
    config_value_expected(s, &line);
    if (!s->default_text)
        buf_add_c(&line, ". Must be set.");
    else if (s->default_text[0] == '\0')
        buf_add_c(&line, ". Default: empty.");
    else
        buf_printf(&line, ". Default: %s", s->default_text);
    manual_text(p, buf_c(&line), DEEPER);
    buf_free(&line);
}

static void add_block(struct manual_page *p, const struct settings_block *block)
{
    struct buf title = BUF_EMPTY;
    if (block->name[0] == '\0')
        buf_add_c(&title, "GENERAL SETTINGS");
    else
        buf_printf(&title, "%s %s{ ... }", block->name, block->named ? "NAME " : "");
    manual_title(p, buf_c(&title));
    buf_free(&title);
    if (block->help)
        manual_text(p, block->help, INDENT);
    for (const struct setting *s = block->settings; s->name; s++)
        add_setting(p, s);
}

static void add_syntax(struct manual_page *p)
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
    manual_title(p, "SYNTAX");
    manual_text(p,
                "One setting stands on a line: its name, \"=\" and its value; \";\" ends a setting "
                "too. Settings that belong together stand in a block. \"#\" begins a comment.",
                INDENT);
    add_example(p, example);
    manual_gap(p);
    manual_text(p,
                "Values with blanks, commas, semicolons, braces or \"#\" stand in double quotes; "
                "inside them \\\" \\\\ \\n \\r \\t mean what they mean in C. The members of a "
                "list are separated by commas or blanks; a line that ends in a comma goes on in "
                "the next one.",
                INDENT);
    manual_gap(p);
    manual_text(p,
                "Sizes have a unit K, M, G or T (powers of 1024) or are plain bytes. Durations "
                "have a unit: ms, s, m (minutes), h, d or w, also together as in 1h30m. A secret "
                "can be kept out of the file: \"<path\" means the first line of that file.",
                INDENT);
    manual_gap(p);
    manual_text(p,
                "\"include path\" reads another file in this place; the last part of the path may "
                "be a pattern (* ? [...]), whose files are read in the order of their names. "
                "Relative paths begin in the folder of the main configuration file.",
                INDENT);
}

void config_manual(const struct settings_block *const *blocks, bool roff, struct buf *b)
{
    struct manual_page p = {b, roff};
    manual_begin(&p, "MAILD.CONF", 5);
    manual_title(&p, "NAME");
    manual_text(&p, "maild.conf - configuration of the mail server maild", INDENT);
    manual_title(&p, "DESCRIPTION");
    manual_text(&p,
                "The server and mailctl read one file, /etc/maild/maild.conf unless they are told "
                "otherwise. \"mailctl config check\" says whether a file is correct, \"mailctl "
                "config show\" prints all settings that are in effect.",
                INDENT);
    add_syntax(&p);
    for (size_t i = 0; blocks[i]; i++)
        add_block(&p, blocks[i]);
    manual_title(&p, "SEE ALSO");
    manual_text(&p, "maild(8), mailctl(1)", INDENT);
}
