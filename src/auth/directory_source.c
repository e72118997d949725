/*
 * The life of sources and chains. A source is closed by a fiber, since its connections take a
 * moment to end: one fiber for all that are idle, which begins in a later turn of the loop than the
 * last user left, and passes over what somebody has entered again.
 */
#include "auth/directory_source.h"

#include "auth/directory_internal.h"
#include "auth/ldap_settings.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"

#include <assert.h>
#include <stdlib.h>

/* --- one source --- */

/* What was found names its source for as long as anybody keeps it: names stay, each once. */
static const char *keep_name(struct directory *d, const char *name)
{
    for (size_t i = 0; i < d->name_count; i++)
        if (strcmp(d->names[i], name) == 0)
            return d->names[i];
    d->names = mem_resize((void *)d->names, (d->name_count + 1) * sizeof(*d->names));
    return d->names[d->name_count++] = mem_dup(name, strlen(name));
}

struct directory_source *directory_source_new(struct directory *d, struct source *s)
{
    struct directory_source *x = MEM_NEW(struct directory_source);
    x->references = 1;
    x->name = keep_name(d, s->name);
    x->functions = s->functions;
    x->source = s;
    return x;
}

struct directory_source *directory_source_ref(struct directory_source *s)
{
    s->references++;
    return s;
}

void directory_source_unref(struct directory_source *s)
{
    if (!s || --s->references > 0)
        return;
    assert(s->users == 0);
    config_unref(s->config);
    free(s);
}

bool directory_source_enter(struct directory_source *s, struct err *e)
{
    if (!s->source)
        return err_set(e, ERR_TEMP, "directory: %s was replaced just now", s->name);
    s->users++;
    return true;
}

static void close_source(struct directory_source *s)
{
    struct source *source = s->source;
    s->source = NULL;
    source->functions->close(source);
    if (s->settings) /* sessions may keep the configuration for a long time */
        config_wipe_secrets(&ldap_settings_block, s->settings);
    config_unref(s->config);
    s->config = NULL;
    s->settings = NULL;
}

static void close_idle(struct directory *d)
{
    struct directory_source *s;
    while ((s = d->idle)) {
        d->idle = s->next_idle;
        s->is_idle = false;
        if (s->users == 0)
            close_source(s);
        directory_source_unref(s);
    }
}

static void close_fiber(void *arg)
{
    struct directory *d = arg;
    close_idle(d);
    d->closing = false;
    cond_broadcast(&d->closed);
}

void directory_source_leave(struct directory *d, struct directory_source *s)
{
    assert(s->users > 0);
    if (--s->users > 0 || s->is_idle)
        return;
    s->is_idle = true;
    s->next_idle = d->idle;
    d->idle = directory_source_ref(s);
    if (d->closing)
        return;
    d->closing = fiber_start(loop_current(), "directory", close_fiber, d) != NULL;
    if (!d->closing)
        log_error("ldap", s->name, "stays open: too many fibers");
}

void directory_sources_end(struct directory *d)
{
    while (d->closing)
        cond_wait_certain(&d->closed);
    close_idle(d); /* those that no fiber could be had for */
}

/* --- the chain --- */

struct directory_chain *directory_chain_new(struct directory *d)
{
    struct directory_chain *c = MEM_NEW(struct directory_chain);
    c->references = 1;
    c->directory = d;
    return c;
}

void directory_chain_insert(struct directory_chain *c, size_t at, struct directory_source *s)
{
    assert(at <= c->count);
    c->list = mem_resize((void *)c->list, (c->count + 1) * sizeof(struct directory_source *));
    memmove((void *)(c->list + at + 1), (void *)(c->list + at),
            (c->count - at) * sizeof(struct directory_source *));
    c->list[at] = directory_source_ref(s);
    c->count++;
    s->users++;
}

struct directory_source *directory_chain_find(const struct directory_chain *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->list[i]->name, name) == 0)
            return c->list[i];
    return NULL;
}

struct directory_chain *directory_chain_hold(struct directory *d)
{
    d->chain->references++;
    return d->chain;
}

void directory_chain_release(struct directory_chain *c)
{
    if (!c || --c->references > 0)
        return;
    for (size_t i = 0; i < c->count; i++) {
        directory_source_leave(c->directory, c->list[i]);
        directory_source_unref(c->list[i]);
    }
    free((void *)c->list);
    free(c);
}
