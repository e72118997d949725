/*
 * mailctl address explain: where mail for an address goes, and why.
 */
#include "mailctl/mailctl.h"
#include "mailctl/screen.h"

#include <stdio.h>
#include <string.h>

/* How far the answers of an address stand in. */
#define INDENT 2

/* A line of what a directory or another server said. */
static void print_text(int indent, const char *text)
{
    printf("%*s", indent, "");
    print_clean(str_from_c(text));
    putchar('\n');
}

static void print_steps(const json_t *list)
{
    const char *address = "";
    long long depth = -1;
    const json_t *s;
    size_t i;
    json_array_foreach(list, i, s)
    {
        long long d = number_of(s, "depth");
        int indent = INDENT * (int)d;
        if (d != depth || strcmp(address, text_of(s, "address")) != 0)
            print_text(indent, text_of(s, "address"));
        depth = d;
        address = text_of(s, "address");
        printf("%*s%s %-22s ", indent + INDENT, "",
               json_is_true(json_object_get(s, "decides")) ? "*" : " ", text_of(s, "question"));
        print_text(0, text_of(s, "answer"));
    }
}

static void print_target(const json_t *t)
{
    const char *detail = text_of(t, "detail"), *host = text_of(t, "host");
    const char *mailbox = text_of(t, "mailbox");
    struct buf b = BUF_EMPTY;
    buf_printf(&b, "%-8s %s", text_of(t, "kind"), *mailbox ? mailbox : text_of(t, "address"));
    if (*detail)
        buf_printf(&b, ", with \"%s\" behind it", detail);
    if (*host)
        buf_printf(&b, " at %s", host);
    print_text(INDENT, buf_c(&b));
    buf_free(&b);
}

static void print_targets(const json_t *answer)
{
    const json_t *list = json_object_get(answer, "targets"), *t;
    size_t i;
    if (json_array_size(list) == 0)
        return;
    puts("\nMail goes to:");
    json_array_foreach(list, i, t) print_target(t);
    if (number_of(answer, "target_count") > (long long)i)
        printf("  and %lld more\n", (long long)number_of(answer, "target_count") - (long long)i);
}

int command_address_explain(struct mailctl *m, const struct arguments *a)
{
    json_t *result = NULL, *args = args_of("address", a->words[0], "login", option(a, "--login"));
    if (option(a, "--from"))
        json_object_set_new(args, "from", json_string(option(a, "--from")));
    int status = ask(m, "address explain", args, &result);
    if (!result)
        return status;
    const json_t *answer = json_object_get(result, "answer");
    print_steps(json_object_get(result, "steps"));
    if (number_of(result, "steps_left_out"))
        printf("and %lld steps more\n", (long long)number_of(result, "steps_left_out"));
    print_targets(result);
    printf("\nAnswer to RCPT: %d %s ", (int)number_of(answer, "code"), text_of(answer, "status"));
    print_text(0, text_of(answer, "text"));
    if (*text_of(answer, "reason") && strcmp(text_of(answer, "reason"), text_of(answer, "text")))
        print_text(INDENT, text_of(answer, "reason"));
    bool accepted = strcmp(text_of(answer, "fate"), "accepted") == 0;
    json_decref(result);
    return accepted ? EXIT_OK : EXIT_FAILED;
}
