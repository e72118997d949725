/*
 * mailctl srs: the secrets of rewritten senders.
 */
#include "mailctl/mailctl.h"

#include <stdio.h>

int command_srs_rotate(struct mailctl *m, const struct arguments *a)
{
    json_t *result = NULL;
    (void)a;
    int status = ask(m, "srs rotate", NULL, &result);
    if (result)
        printf("a new secret signs; %lld are valid\n", (long long)number_of(result, "secrets"));
    json_decref(result);
    return status;
}
