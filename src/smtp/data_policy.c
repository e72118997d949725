/*
 * The policy for data that breaks the rules of RFC 5321 2.3.8 and 4.5.3.1.6: settings in, decision
 * out.
 *
 * Bare line ends are made harmless by default: text of old programs and devices arrives, and what
 * was meant to smuggle a second message is a line of the first. A message is refused only after it
 * was read to its true end, so the client stays in step.
 */
#include "smtp/data_policy.h"

#include "smtp/smtp_server.h"

struct data_policy data_policy_of(const struct smtp_settings *s, bool trusted)
{
    struct data_policy p = {.refuse_bare = s->bare_newline == DATA_BARE_REJECT,
                            .refuse_long = s->long_line == DATA_LONG_REJECT,
                            .break_long = s->long_line == DATA_LONG_BREAK,
                            .line_max = (size_t)s->line_max};
    if (trusted && s->bare_newline_trusted != DATA_BARE_SAME)
        p.refuse_bare = s->bare_newline_trusted == DATA_BARE_TRUSTED_REJECT;
    return p;
}

bool data_line_is_whole(struct str line, bool crlf)
{
    return crlf && str_find_char(line, '\r') < 0 && str_find_char(line, '\0') < 0;
}

void data_policy_apply(const struct data_policy *p, struct data_decoder *d)
{
    d->line_max = p->line_max;
    d->break_lines = p->break_long;
}

bool data_policy_check(const struct data_policy *p, const struct data_decoder *d,
                       struct smtp_refusal *r)
{
    if (p->refuse_bare && (d->bare_cr || d->bare_lf || d->nul))
        return smtp_refuse(r, 550, "5.5.2", "The message has %s, which is not allowed here",
                           d->bare_lf   ? "an LF without CR"
                           : d->bare_cr ? "a CR without LF"
                                        : "a NUL");
    if (p->refuse_long && d->long_line)
        return smtp_refuse(r, 550, "5.6.0", "The message has a line of more than %zu characters",
                           p->line_max);
    return true;
}
