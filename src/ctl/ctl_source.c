/*
 * The sources are asked past the cache, since the question comes from an operator who was just told
 * that there is no such name.
 */
#include "ctl/ctl_source.h"

#include "auth/directory.h"

#include <string.h>

const char *ctl_source_text(struct arena *a, const char *source)
{
    if (!source || strcmp(source, EMBEDDED_NAME) == 0)
        return "the embedded directory";
    return arena_printf(a, "the ldap block \"%s\"", source).p;
}

bool ctl_tell_source(const struct ctl_context *c, enum directory_question question, struct str name,
                     struct err *e)
{
    struct directory_report r;
    struct arena *a = arena_new();
    if (e->kind == ERR_NOT_FOUND && directory_trace(c->directory, question, name, a, &r)) {
        for (size_t i = 0; i < r.step_count; i++)
            if (r.steps[i].status == LOOKUP_FOUND && strcmp(r.steps[i].source, EMBEDDED_NAME) != 0)
                err_set(e, ERR_PERM, "%.*s is kept by %s: change it there", STR_ARG(name),
                        ctl_source_text(a, r.steps[i].source));
    }
    arena_free(a);
    return false;
}
