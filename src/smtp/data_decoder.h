#pragma once
/*
 * The one decoder of message data as it comes over the wire: DATA (dot-stuffed, ended by
 * CRLF.CRLF and by nothing else) and BDAT (counted). It gives the form in which messages are
 * stored: lines end in LF, dots unstuffed. Bare CR, bare LF and NUL are noticed, and either made
 * harmless (a line end, a space, nothing) or left to the caller to refuse (data_policy.h). Lines of
 * any length go through in pieces; they are noticed as well, and broken if asked for. Pure; does
 * not suspend.
 */
#include "core/buf.h"

enum data_form { DATA_DOTTED, DATA_COUNTED };

struct data_decoder {
    enum data_form form;
    int state;    /* private */
    bool ended;   /* DATA_DOTTED: the end was seen */
    bool bare_lf; /* LF without CR */
    bool bare_cr; /* CR without LF */
    bool nul;
    bool eight_bit; /* a byte above 127 */
    bool long_line; /* a line of more than line_max bytes, line end not counted */
    char last;      /* last byte given out, 0 at the start */

    /* Set by the caller after data_decoder_init. */
    size_t line_max;  /* 0: no limit */
    bool break_lines; /* a longer line goes on in the next one, behind a space: a folded header
                         field stays one, base64 and most text do not mind */
    size_t column;    /* private: bytes of the present line */
};

void data_decoder_init(struct data_decoder *d, enum data_form form);
/* Takes bytes from the wire, appends the stored form to *out and returns how many bytes were taken:
 * all, or in DATA_DOTTED up to and including the end. */
size_t data_decoder_feed(struct data_decoder *d, struct str wire, struct buf *out);
/* DATA_COUNTED: no more bytes will come. Completes a line that lacks its end. */
void data_decoder_finish(struct data_decoder *d, struct buf *out);
