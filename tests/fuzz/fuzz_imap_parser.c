/*
 * Any bytes as commands of an IMAP client: lines and literals as the server would cut them. The
 * tree is walked, so that every string in it is looked at.
 */
#include "imap/number_set.h"
#include "imap/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(const struct imap_argument *first, struct arena *arena, unsigned depth)
{
    size_t sum = 0;
    for (const struct imap_argument *a = first; a; a = a->next) {
        struct str s;
        if (imap_argument_astring(a, &s))
            for (size_t i = 0; i < s.n; i++)
                sum += (unsigned char)s.p[i];
        struct number_set set;
        if (a->type == IMAP_ATOM && number_set_parse(arena, a->text, &set)) {
            number_set_resolve(&set, 7);
            sum += number_set_contains(&set, (uint32_t)sum);
        }
        for (size_t i = 0; i < a->partial.n; i++)
            sum += (unsigned char)a->partial.p[i];
        sum += walk(a->children, arena, depth + 1);
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_from((const char *)data, size);
    struct arena *arena = arena_new();
    struct imap_parser p;
    imap_parser_init(&p, arena, (struct imap_parser_limits){200, 10});
    imap_parser_line(&p, str_split(&rest, '\n'));
    struct str tag, name;
    if (imap_parser_tag(&p, &tag) && imap_parser_name(&p, &name)) {
        p.sections = str_equal_nocase(name, STR("FETCH"));
        while (imap_parser_arguments(&p) == IMAP_PARSE_LITERAL && p.literal_size <= rest.n) {
            imap_parser_literal(&p, str_head(rest, (size_t)p.literal_size), NULL);
            rest = str_skip(rest, (size_t)p.literal_size);
            imap_parser_line(&p, str_split(&rest, '\n'));
        }
        volatile size_t sum = walk(p.arguments, arena, 0);
        (void)sum;
    }
    arena_free(arena);
    return 0;
}
