#pragma once
/*
 * What becomes of message data that is not as RFC 5321 has it: bare CR and LF, NUL, lines that are
 * too long. The one place that decides it, for commands, DATA and BDAT, for strangers and for those
 * who are trusted. Whatever it decides, none of these can end a message (data_decoder.h).
 */
#include "smtp/data_decoder.h"
#include "smtp/refusal.h"

struct smtp_settings;

enum data_bare_newline { DATA_BARE_NORMALIZE, DATA_BARE_REJECT };
enum data_bare_newline_trusted {
    DATA_BARE_SAME,
    DATA_BARE_TRUSTED_NORMALIZE,
    DATA_BARE_TRUSTED_REJECT
};
enum data_long_line { DATA_LONG_ACCEPT, DATA_LONG_BREAK, DATA_LONG_REJECT };

struct data_policy {
    bool refuse_bare; /* CR, LF, NUL */
    bool refuse_long;
    bool break_long;
    size_t line_max;
};

/* trusted: users who logged in, local programs, networks that the configuration trusts. */
struct data_policy data_policy_of(const struct smtp_settings *s, bool trusted);
/* Of a line of the dialog: nothing in it is refused with refuse_bare. crlf: it did not end in LF
 * alone. */
bool data_line_is_whole(struct str line, bool crlf);
/* Tells the decoder what to do with long lines. */
void data_policy_apply(const struct data_policy *p, struct data_decoder *d);
/* After the end: false, with *r, when the message is refused. */
bool data_policy_check(const struct data_policy *p, const struct data_decoder *d,
                       struct smtp_refusal *r);
