/*
 * SORT (RFC 5256) with SORT=DISPLAY (RFC 5957) and ESORT (RFC 5267 3).
 */
#include "imap/search_command.h"
#include "imap/search_saved.h"
#include "imap/sort.h"

#include <stdlib.h>

static bool take_arguments(struct imap_search *s, struct sort_program *program)
{
    struct str charset;
    return imap_take_return(s->c, &s->options) && imap_take_criteria(s->c, program) &&
           imap_take_charset(s->c, &charset) && imap_take_keys(s, charset);
}

static void sort(struct imap_search *s, const struct sort_program *program)
{
    uint32_t *order = imap_sort_results(s, program);
    if (!order)
        return;
    if (s->options.extended)
        imap_search_answer(s, order);
    else
        imap_search_answer_list(s, order, "SORT");
    imap_search_conclude(s, order);
    free(order);
}

void imap_cmd_sort(struct imap_command *c)
{
    struct imap_search s;
    struct sort_program program;
    imap_search_begin(&s, c);
    if (take_arguments(&s, &program) && imap_search_run(&s))
        sort(&s, &program);
    if (c->status == IMAP_NO && s.options.give & RETURN_SAVE)
        imap_saved_clear(c->session->selected);
    imap_search_end(&s);
}
