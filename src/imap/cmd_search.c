/*
 * SEARCH (RFC 3501 6.4.4, 7.2.5) with ESEARCH (RFC 4731), SEARCHRES (RFC 5182), PARTIAL (RFC 9394)
 * and CONTEXT=SEARCH (RFC 5267). Who has enabled IMAP4rev2 knows no other answer than ESEARCH (RFC
 * 9051 6.4.4).
 */
#include "imap/search_saved.h"
#include "imap/search_update.h"

static bool take_arguments(struct imap_search *s)
{
    struct str charset;
    if (!imap_take_return(s->c, &s->options) || !imap_update_begin(s) ||
        !imap_take_search_charset(s->c, &charset))
        return false;
    if (s->c->session->enabled & ENABLED_REV2 && !s->options.extended)
        s->options = (struct return_options){.extended = true, .give = RETURN_ALL};
    return imap_take_keys(s, charset);
}

bool imap_take_search(struct imap_command *c, struct search_program *program)
{
    struct imap_search s;
    imap_search_begin(&s, c);
    bool ok = take_arguments(&s);
    *program = s.program;
    imap_search_end(&s);
    return ok;
}

void imap_cmd_search(struct imap_command *c)
{
    struct imap_search s;
    imap_search_begin(&s, c);
    if (take_arguments(&s) && imap_search_run(&s)) {
        if (s.options.extended)
            imap_search_answer(&s, s.found);
        else
            imap_search_answer_list(&s, s.found, "SEARCH");
        imap_update_keep(&s, NULL, s.found, NULL, NULL);
        imap_search_conclude(&s, s.found);
    }
    if (c->status == IMAP_NO && s.options.give & RETURN_SAVE)
        imap_saved_clear(c->session->selected);
    imap_search_end(&s);
}
