#pragma once
/* A command whose arguments come from text, without a connection. */
#include "imap/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
/* After the above. */
#include <cmocka.h>

/* session may be NULL. The line begins with the arguments. */
static inline struct imap_command *command_from(struct arena *a, struct imap_session *s,
                                                const char *arguments, bool sections)
{
    struct imap_command *c = ARENA_NEW(a, struct imap_command);
    struct imap_parser p;
    struct str tag, name;
    c->arena = a;
    c->session = s;
    imap_parser_init(&p, a, (struct imap_parser_limits){2000, 20});
    p.sections = sections;
    imap_parser_line(&p, arena_printf(a, "a X %s", arguments));
    assert_true(imap_parser_tag(&p, &tag) && imap_parser_name(&p, &name));
    assert_int_equal(imap_parser_arguments(&p), IMAP_PARSE_DONE);
    c->next = p.arguments;
    return c;
}
