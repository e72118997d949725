#pragma once
/*
 * Why a message is not taken, as it stands in the reply and in the log: the checks of a message
 * give one, who speaks to the client says it.
 */
#include <stdbool.h>

struct smtp_refusal {
    int code; /* 0: none */
    const char *enhanced;
    char text[200];
};

/* Fills *r unless there is one already: the first reason stands. Returns false. */
bool smtp_refuse(struct smtp_refusal *r, int code, const char *enhanced, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
