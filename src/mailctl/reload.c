/*
 * mailctl reload: makes the configuration file true, and says what that changes.
 */
#include "mailctl/mailctl.h"

#include <stdio.h>

#define NAME_WIDTH 32

static void print_change(const json_t *change)
{
    const char *before = json_string_value(json_object_get(change, "before"));
    const char *after = text_of(change, "after"), *kind = text_of(change, "change");
    printf("  %-*s ", NAME_WIDTH, text_of(change, "setting"));
    if (before)
        printf("%s -> %s", before, after);
    else
        printf("%s%s", kind, strcmp(kind, "changed") == 0 ? " (hidden)" : "");
    printf("%s\n", json_is_true(json_object_get(change, "restart")) ? "  (needs a restart)" : "");
}

int command_reload(struct mailctl *m, const struct arguments *a)
{
    json_t *result = NULL;
    bool dry_run = option(a, "--dry-run") != NULL;
    int status = ask(m, "reload", dry_run ? json_pack("{s:b}", "dry_run", 1) : NULL, &result);
    if (!result)
        return status;
    const json_t *changes = json_object_get(result, "changes");
    char *restart = join_texts(result, "restart_needed", ", ");
    if (dry_run)
        printf("nothing was changed; a reload would change %s\n",
               json_array_size(changes) > 0 ? "this:" : "no setting");
    else
        printf("the new configuration is in effect%s\n",
               json_array_size(changes) > 0 ? ":" : ", no setting has changed");
    size_t i;
    const json_t *change;
    json_array_foreach(changes, i, change) print_change(change);
    if (restart[0])
        printf("a restart is needed for: %s\n", restart);
    free(restart);
    json_decref(result);
    return status;
}
