/*
 * mailctl send-as test: whether a user may send as an address, and why.
 */
#include "mailctl/mailctl.h"

#include <stdio.h>

int command_send_as_test(struct mailctl *m, const struct arguments *a)
{
    json_t *result = NULL;
    int status =
        ask(m, "send-as test", args_of("login", a->words[0], "address", a->words[1]), &result);
    if (result)
        printf("%s %s send as %s: %s\n", text_of(result, "login"),
               json_is_true(json_object_get(result, "allowed")) ? "may" : "may not",
               text_of(result, "address"), text_of(result, "why"));
    json_decref(result);
    return status;
}
