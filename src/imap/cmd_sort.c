/*
 * SORT (RFC 5256) with SORT=DISPLAY (RFC 5957), and ESORT and CONTEXT=SORT (RFC 5267).
 */
#include "core/mem.h"
#include "imap/search_saved.h"
#include "imap/search_update.h"

#include <stdlib.h>

static bool take_arguments(struct imap_search *s, struct sort_program *program)
{
    struct str charset;
    return imap_take_return(s->c, &s->options) && imap_update_begin(s) &&
           imap_take_criteria(s->c, program) && imap_take_charset(s->c, &charset) &&
           imap_take_keys(s, charset);
}

static void answer(struct imap_search *s, struct sort_table *table, const uint32_t *rows)
{
    uint32_t *order = mem_array(s->count + 1, sizeof *order);
    for (size_t i = 0; i < s->count; i++)
        order[i] = s->found[rows[i]];
    if (s->options.extended)
        imap_search_answer(s, order);
    else
        imap_search_answer_list(s, order, "SORT");
    imap_update_keep(s, table->program, order, table, rows);
    imap_search_conclude(s, order);
    free(order);
}

static void sort(struct imap_search *s, const struct sort_program *program)
{
    struct sort_table table;
    sort_table_init(&table, program);
    uint32_t *rows = imap_sort_results(s, &table);
    if (rows)
        answer(s, &table, rows);
    free(rows);
    sort_table_free(&table);
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
