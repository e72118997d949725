/*
 * Updates are kept in memory as lists of UIDs; of a sorted result also the keys, which never
 * change, so a message that comes in finds its place by comparing a few of them.
 *
 * Which messages may have come or gone is known from the change that a result was right up to:
 * those whose flags changed since, and the new ones of the view. They are searched again like any
 * others. Where that cannot be done any more, the client is told that updates end (NOUPDATE).
 *
 * The creation, CANCELUPDATE and the limits are here; what is told, in search_update_tell.c.
 */
#include "imap/search_update.h"

#include "core/mem.h"
#include "imap/limits.h"
#include "imap/notify.h"

#include <stdlib.h>

/* --- the list --- */

void imap_update_free(struct search_update *u)
{
    if (!u)
        return;
    if (u->keys)
        sort_table_free(u->keys);
    free(u->keys);
    free(u->results);
    arena_free(u->arena);
}

void imap_updates_free(struct imap_selected *v)
{
    while (v->updates) {
        struct search_update *u = v->updates;
        v->updates = u->next;
        imap_update_free(u);
    }
}

static struct search_update **find(struct imap_selected *v, struct str tag)
{
    struct search_update **u = &v->updates;
    while (*u && !str_equal((*u)->tag, tag))
        u = &(*u)->next;
    return u;
}

static bool is_full(const struct imap_selected *v)
{
    size_t count = 0, results = 0;
    for (const struct search_update *u = v->updates; u; u = u->next) {
        count++;
        results += u->count;
    }
    return count >= IMAP_UPDATES_MAX || results > IMAP_UPDATE_RESULTS_MAX;
}

/* --- beginning --- */

bool imap_update_begin(struct imap_search *s)
{
    struct imap_selected *v = s->c->session->selected;
    if (!(s->options.give & RETURN_UPDATE))
        return true;
    if (*find(v, s->c->tag)) {
        imap_bad(s->c, "The tag is that of a search whose result is kept up to date");
        return false;
    }
    if (is_full(v))
        return true;
    struct arena *a = arena_new();
    s->update = ARENA_NEW(a, struct search_update);
    *s->update = (struct search_update){.arena = a,
                                        .tag = arena_str(a, s->c->tag),
                                        .uid = s->c->uid,
                                        .modseq = mailbox_modseq(v->mailbox),
                                        .uid_next = v->uid_next,
                                        .time = clock_wall() / USEC_SEC};
    if (s->options.fetch)
        s->update->fetch = imap_fetch_keep(s->c, s->options.fetch, a);
    return !s->options.fetch || s->update->fetch;
}

static void set_start(struct search_update *u, const struct esearch *response)
{
    struct buf start = BUF_EMPTY;
    esearch_write_start(&start, response);
    u->start = arena_str(u->arena, buf_str(&start));
    buf_free(&start);
}

void imap_update_keep(struct imap_search *s, const struct sort_program *sort, const uint32_t *order,
                      struct sort_table *keys, const uint32_t *rows)
{
    struct imap_selected *v = s->c->session->selected;
    struct search_update *u = s->update;
    if (!(s->options.give & RETURN_UPDATE))
        return;
    if (!u || (sort && s->count > IMAP_UPDATE_SORTED_MAX)) {
        imap_writef(s->c->session, "* NO [NOUPDATE \"%.*s\"] Too much to keep up to date\r\n",
                    STR_ARG(s->c->tag));
        return;
    }
    struct esearch response = imap_search_response(s);
    set_start(u, &response);
    u->program = s->program;
    if (sort) {
        u->sort = *sort;
        u->keys = mem_alloc(sizeof *u->keys);
        sort_table_take(u->keys, keys, &u->sort);
    }
    u->count = s->count;
    u->capacity = s->count + 1;
    u->results = mem_array(u->capacity, sizeof *u->results);
    for (size_t i = 0; i < s->count; i++)
        u->results[i] = (struct update_result){s->uids[order[i]], rows ? rows[i] : 0};
    u->next = v->updates;
    v->updates = u;
    s->update = NULL;
}

/* --- CANCELUPDATE --- */

void imap_cmd_cancelupdate(struct imap_command *c)
{
    struct imap_selected *v = c->session->selected;
    const struct imap_argument *tags = c->next;
    struct str tag;
    if (!tags)
        imap_expected(c, NULL, "the tag of a search");
    for (const struct imap_argument *a = tags; a; a = a->next)
        if (!imap_argument_astring(a, &tag) || !*find(v, tag))
            imap_expected(c, a, "the tag of a search whose result is kept up to date");
    if (c->status != IMAP_PENDING)
        return;
    for (const struct imap_argument *a = tags; a; a = a->next) {
        imap_argument_astring(a, &tag);
        struct search_update **place = find(v, tag), *u = *place;
        if (!u)
            continue; /* it was named twice */
        *place = u->next;
        imap_update_free(u);
    }
    imap_ok(c, "No further updates");
}
