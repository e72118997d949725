/*
 * The directory of a new instance, through the same functions that the server uses: in a fiber, on
 * a loop that ends when it is done.
 */
#include "auth/directory.h"
#include "core/loop.h"
#include "mailctl/init.h"

struct making {
    struct loop *loop;
    const struct instance *instance;
    bool ok;
    struct err error;
};

static SUSPENDS bool add_role(struct directory *d, const struct instance *i, const char *role,
                              struct str domain, struct err *e)
{
    struct str address = arena_printf(i->arena, "%s@%.*s", role, STR_ARG(domain));
    for (size_t n = 0; n < i->user_count; n++)
        if (str_equal_nocase(i->users[n].login, address))
            return true;
    return directory_add_address(d, address, i->users[0].login, e);
}

static SUSPENDS bool fill(struct directory *d, const struct instance *i, struct err *e)
{
    for (size_t n = 0; n < i->domain_count; n++)
        if (!directory_add_domain(d, i->domains[n], e))
            return false;
    for (size_t n = 0; n < i->user_count; n++)
        if (!directory_add_user(d, i->users[n].login, str_from_c(i->users[n].password), STR(""), e))
            return false;
    for (size_t n = 0; n < i->domain_count && i->user_count > 0; n++)
        if (!add_role(d, i, "postmaster", i->domains[n], e) ||
            !add_role(d, i, "abuse", i->domains[n], e))
            return false;
    return true;
}

static void make(void *arg)
{
    struct making *m = arg;
    struct directory_settings settings = {.path = m->instance->database, .default_domain = ""};
    struct directory *d = directory_open(m->loop, &settings, m->instance->database, &m->error);
    m->ok = d && fill(d, m->instance, &m->error);
    if (d)
        directory_close(d);
    loop_stop(m->loop);
}

bool init_make_directory(const struct instance *i, struct err *e)
{
    struct making m = {.loop = loop_new(e), .instance = i};
    if (!m.loop)
        return false;
    fiber_start(m.loop, "directory", make, &m);
    loop_run(m.loop);
    loop_free(m.loop);
    if (!m.ok)
        *e = m.error;
    return m.ok;
}
