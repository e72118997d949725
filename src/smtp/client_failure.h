#pragma once
/*
 * Why something did not work, as recipients will have it.
 */
#include "core/buf.h"

/* What is kept of a text from a stranger. */
#define CLIENT_TEXT_MAX 1000
/* Cut there, not within a character of UTF-8. */
struct str client_text_cut(struct str text);

struct client_failure {
    bool permanent;
    char code[12]; /* enhanced status; "" : unknown */
    struct buf text;
};

/* The text is printable: it comes from err texts, which may quote strangers. */
void client_failure_set(struct client_failure *f, bool permanent, const char *code,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Not for good after all. */
void client_failure_soften(struct client_failure *f);
void client_failure_free(struct client_failure *f);
