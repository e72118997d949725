/*
 * mailctl verify: what a sender would hear who names a recipient.
 */
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <string.h>

static void print_verified(const json_t *v)
{
    struct buf when = BUF_EMPTY;
    if (number_of(v, "checked") > 0)
        add_time(&when, number_of(v, "checked"));
    printf("its server  %s%s%s%s\n", text_of(v, "verdict"), when.n ? ", asked " : "",
           when.n ? buf_c(&when) : "",
           json_is_true(json_object_get(v, "stale")) ? " (cannot be asked now)" : "");
    if (json_is_true(json_object_get(v, "accepts_all")))
        printf("            takes any address\n");
    if (*text_of(v, "text"))
        printf("            %s\n", text_of(v, "text"));
    buf_free(&when);
}

int command_verify(struct mailctl *m, const struct arguments *a)
{
    json_t *answer = NULL, *args = args_of("address", a->words[0], NULL, NULL);
    json_object_set_new(args, "trusted", json_boolean(option(a, "--trusted")));
    json_object_set_new(args, "probe", json_boolean(option(a, "--probe")));
    int status = ask(m, "verify", args, &answer);
    if (!answer)
        return status;
    const char *kind = text_of(answer, "domain");
    printf("address     %s\ndomain      %s\nanswer      %s: %d %s %s\n", text_of(answer, "address"),
           *kind ? kind : "not ours", text_of(answer, "fate"), (int)number_of(answer, "code"),
           text_of(answer, "status"), text_of(answer, "text"));
    if (*text_of(answer, "reason") && strcmp(text_of(answer, "reason"), text_of(answer, "text")))
        printf("            %s\n", text_of(answer, "reason"));
    if (json_object_get(answer, "verified"))
        print_verified(json_object_get(answer, "verified"));
    bool accepted = strcmp(text_of(answer, "fate"), "accepted") == 0;
    json_decref(answer);
    return accepted ? EXIT_OK : EXIT_FAILED;
}
