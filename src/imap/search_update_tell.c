/*
 * What is told of results that are kept up to date: ADDTO and REMOVEFROM (RFC 5267 4.3.2 to 4.3.4).
 *
 * In the order of the mailbox positions are 0, and the client finds the places itself. Of a sorted
 * result positions are told, each as it is after the changes told before it: what leaves, from the
 * first to the last; then what comes.
 */
#include "imap/search_update.h"

#include "core/mem.h"
#include "imap/limits.h"
#include "imap/notify.h"

#include <stdlib.h>

/* UIDs, ascending. */
struct uid_list {
    uint32_t *uids;
    size_t count;
};

static void add_uid(struct uid_list *l, uint32_t uid)
{
    l->uids[l->count++] = uid;
}

static int compare(const void *x, const void *y)
{
    const uint32_t *a = x, *b = y;
    return *a < *b ? -1 : *a > *b;
}

static bool contains(const struct uid_list *l, uint32_t uid)
{
    return l->count && bsearch(&uid, l->uids, l->count, sizeof uid, compare);
}

/* --- writing --- */

/* Pairs of position and set, the items of one ADDTO or REMOVEFROM. */
struct pairs {
    const struct imap_selected *view;
    const struct search_update *update;
    const char *name;
    struct buf *out;
    uint32_t *numbers; /* of the pair that is open */
    size_t count, position;
    bool open;
};

static uint32_t number_of(const struct pairs *p, uint32_t uid)
{
    size_t index = 0;
    if (p->update->uid)
        return uid;
    imap_selected_find(p->view, uid, &index);
    return (uint32_t)index + 1;
}

static void end_pair(struct pairs *p)
{
    if (!p->count)
        return;
    if (!p->open)
        buf_printf(p->out, " %s (", p->name);
    else
        buf_add_char(p->out, ' ');
    buf_printf(p->out, "%zu ", p->position);
    number_set_write(p->out, p->numbers, p->count);
    p->open = true;
    p->count = 0;
}

/* `position`: where it stands, counted from 1, or 0. */
static void add_to_pairs(struct pairs *p, uint32_t uid, size_t position)
{
    bool follows = p->count && (position == 0 || position == p->position + p->count);
    if (!follows)
        end_pair(p);
    if (!p->count)
        p->position = position;
    p->numbers[p->count++] = number_of(p, uid);
}

static void end_pairs(struct pairs *p)
{
    end_pair(p);
    if (p->open)
        buf_add_char(p->out, ')');
    free(p->numbers);
}

static struct pairs pairs_new(const struct imap_selected *v, const struct search_update *u,
                              const char *name, size_t most, struct buf *out)
{
    return (struct pairs){.view = v,
                          .update = u,
                          .name = name,
                          .out = out,
                          .numbers = mem_array(most + 1, sizeof(uint32_t))};
}

/* --- leaving --- */

/* Takes from the results those in the list. */
static void remove_results(const struct imap_selected *v, struct search_update *u,
                           const struct uid_list *gone, struct buf *out)
{
    struct pairs p = pairs_new(v, u, "REMOVEFROM", gone->count, out);
    size_t kept = 0;
    for (size_t i = 0; i < u->count; i++) {
        if (contains(gone, u->results[i].uid)) {
            /* What was told to leave before it has left. */
            bool first = !p.count || p.position != kept + 1;
            if (u->keys && first)
                end_pair(&p);
            if (!p.count)
                p.position = u->keys ? kept + 1 : 0;
            p.numbers[p.count++] = number_of(&p, u->results[i].uid);
        } else {
            u->results[kept++] = u->results[i];
        }
    }
    u->count = kept;
    end_pairs(&p);
}

static void write_response(const struct search_update *u, const struct buf *changes,
                           struct buf *out)
{
    if (!changes->n)
        return;
    buf_add_str(out, u->start);
    buf_add_str(out, buf_str(changes));
    buf_add_c(out, "\r\n");
}

/* Those of the view that the mailbox does not have any more. */
static struct uid_list list_gone(const struct imap_selected *v)
{
    size_t total, at = 0;
    const struct message *messages = mailbox_messages(v->mailbox, &total);
    struct uid_list gone = {mem_array(v->count + 1, sizeof(uint32_t)), 0};
    for (size_t i = 0; i < v->count; i++) {
        while (at < total && messages[at].uid < v->uids[i])
            at++;
        if (at == total || messages[at].uid != v->uids[i])
            add_uid(&gone, v->uids[i]);
    }
    return gone;
}

void imap_updates_expunged(struct imap_selected *v, struct buf *out)
{
    if (!v->updates)
        return;
    struct uid_list gone = list_gone(v);
    struct buf changes = BUF_EMPTY;
    for (struct search_update *u = v->updates; u; u = u->next) {
        buf_clear(&changes);
        remove_results(v, u, &gone, &changes);
        write_response(u, &changes, out);
    }
    buf_free(&changes);
    free(gone.uids);
}

/* --- coming --- */

/* Where a result belongs among the first `count`. */
static size_t find_place(const struct search_update *u, struct update_result r)
{
    size_t low = 0, high = u->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct update_result *m = &u->results[middle];
        int order = u->keys ? sort_table_compare(u->keys, m->row, r.row) : 0;
        if (order < 0 || (order == 0 && m->uid < r.uid))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert_result(struct search_update *u, struct update_result r)
{
    u->results = mem_grow(u->results, u->count, &u->capacity, sizeof *u->results, 16);
    size_t place = find_place(u, r);
    memmove(u->results + place + 1, u->results + place, (u->count - place) * sizeof r);
    u->results[place] = r;
    u->count++;
}

static void add_results(const struct imap_selected *v, struct search_update *u,
                        const struct uid_list *come, const uint32_t *rows, struct buf *out)
{
    struct pairs p = pairs_new(v, u, "ADDTO", come->count, out);
    for (size_t i = 0; i < come->count; i++)
        insert_result(u, (struct update_result){come->uids[i], rows ? rows[i] : 0});
    for (size_t i = 0; i < u->count && come->count; i++)
        if (contains(come, u->results[i].uid))
            add_to_pairs(&p, u->results[i].uid, u->keys ? i + 1 : 0);
    end_pairs(&p);
}

/* Keys of messages that left pile up: they are dropped when they are most of the table. */
static void compact_keys(struct search_update *u)
{
    if (u->keys->count < 4 * u->count + 1000)
        return;
    struct sort_table compact;
    sort_table_init(&compact, &u->sort);
    for (size_t i = 0; i < u->count; i++) {
        sort_table_add_copy(&compact, u->keys, u->results[i].row);
        u->results[i].row = (uint32_t)i;
    }
    sort_table_free(u->keys);
    *u->keys = compact;
}

/* --- looking again --- */

struct looking {
    struct search_update *update;
    struct imap_search search;
    struct imap_command command; /* nobody's: for the time it may take */
    struct uid_list candidates, come, gone;
    uint32_t *rows; /* of `come` */
};

/* Messages that may have come or gone: changed, or new in the view. */
static void list_candidates(const struct imap_selected *v, struct search_update *u, bool all,
                            struct uid_list *list)
{
    uint32_t changed[MAILBOX_FLAG_CHANGES_MAX];
    size_t count, total;
    const struct message *messages = mailbox_messages(v->mailbox, &total);
    list->uids = mem_array(v->count + MAILBOX_FLAG_CHANGES_MAX + 1, sizeof *list->uids);
    if (!all && mailbox_flag_changes(v->mailbox, u->modseq, changed, &count)) {
        for (size_t i = 0; i < count && changed[i] < u->uid_next; i++)
            add_uid(list, changed[i]);
    } else {
        for (size_t i = 0; i < total && messages[i].uid < u->uid_next; i++)
            if (all || messages[i].modseq > u->modseq)
                add_uid(list, messages[i].uid);
    }
    size_t first = v->count;
    while (first > 0 && v->uids[first - 1] >= u->uid_next)
        first--;
    for (size_t i = first; i < v->count; i++)
        add_uid(list, v->uids[i]);
}

/* Those found that are no results yet have come; those that are, and were not found, are gone. */
static void compare_results(struct looking *l)
{
    const struct search_update *u = l->update;
    struct uid_list before = {mem_array(l->candidates.count + 1, sizeof(uint32_t)), 0};
    l->come.uids = mem_array(l->search.count + 1, sizeof(uint32_t));
    l->gone.uids = mem_array(l->candidates.count + 1, sizeof(uint32_t));
    for (size_t i = 0; i < u->count; i++)
        if (contains(&l->candidates, u->results[i].uid))
            add_uid(&before, u->results[i].uid);
    qsort(before.uids, before.count, sizeof(uint32_t), compare);
    for (size_t i = 0, at = 0; i < l->candidates.count; i++) {
        bool found = at < l->search.count && l->search.found[at] == i;
        bool was = contains(&before, l->candidates.uids[i]);
        at += found;
        if (found && !was)
            add_uid(&l->come, l->candidates.uids[i]);
        if (!found && was)
            add_uid(&l->gone, l->candidates.uids[i]);
    }
    free(before.uids);
}

static bool add_keys(void *arg, uint32_t position, const struct message *m,
                     const struct message_summary *summary)
{
    struct looking *l = arg;
    (void)position;
    l->rows[l->search.count - 1] = (uint32_t)l->update->keys->count;
    l->come.uids[l->search.count - 1] = m->uid;
    sort_table_add(l->update->keys, m->internal_date, m->size_crlf, summary);
    return true;
}

/* Of those that have come; who is gone by now is taken off the list. */
static bool read_keys(struct looking *l)
{
    struct result_reader reader = {
        .search = &l->search, .fields = l->update->sort.fields, .fn = add_keys, .arg = l};
    size_t kept = 0;
    for (size_t i = 0; i < l->search.count; i++)
        if (contains(&l->come, l->candidates.uids[l->search.found[i]]))
            l->search.found[kept++] = l->search.found[i];
    l->search.count = kept;
    l->rows = mem_array(kept + 1, sizeof *l->rows);
    bool ok = imap_read_results(&reader);
    l->come.count = l->search.count;
    return ok;
}

static bool look_again(struct looking *l, const struct imap_selected *v)
{
    l->search = (struct imap_search){.c = &l->command,
                                     .program = l->update->program,
                                     .mailbox = v->mailbox,
                                     .uids = l->candidates.uids,
                                     .total = l->candidates.count,
                                     .recent = {v->recent, v->recent_count}};
    if (!imap_search_run(&l->search))
        return false;
    compare_results(l);
    return !l->update->keys || !l->come.count || read_keys(l);
}

static bool is_too_much(const struct search_update *u)
{
    return (u->keys && u->count > IMAP_UPDATE_SORTED_MAX) ||
           arena_size(u->arena) > IMAP_UPDATE_MEMORY_MAX;
}

/* What the client wants to have of new messages that are results. */
static void fetch_new(const struct looking *l, struct imap_session *s, uint32_t from)
{
    struct buf uids = BUF_EMPTY;
    for (size_t i = 0; l->update->fetch && i < l->come.count; i++)
        if (l->come.uids[i] >= from)
            buf_printf(&uids, "%s%u", uids.n ? "," : "", l->come.uids[i]);
    if (uids.n)
        imap_fetch_unasked(s, l->update->fetch, buf_str(&uids));
    buf_free(&uids);
}

/* False: there will be no more updates. */
static bool update(struct search_update *u, struct imap_session *s, bool all)
{
    const struct imap_selected *v = s->selected;
    struct looking l = {.update = u, .command = {.session = s, .arena = arena_new(), .uid = true}};
    struct buf changes = BUF_EMPTY, out = BUF_EMPTY;
    uint32_t uid_next = u->uid_next;
    list_candidates(v, u, all, &l.candidates);
    u->modseq = mailbox_modseq(v->mailbox);
    u->uid_next = v->uid_next;
    bool ok = !l.candidates.count || look_again(&l, v);
    if (ok) {
        fetch_new(&l, s, uid_next);
        remove_results(v, u, &l.gone, &changes);
        add_results(v, u, &l.come, l.rows, &changes);
        write_response(u, &changes, &out);
        imap_write(s, buf_str(&out));
        if (u->keys)
            compact_keys(u);
    }
    imap_search_end(&l.search);
    arena_free(l.command.arena);
    free(l.candidates.uids);
    free(l.come.uids);
    free(l.gone.uids);
    free(l.rows);
    buf_free(&changes);
    buf_free(&out);
    return ok && !is_too_much(u);
}

/* Time passes for OLDER and YOUNGER: now and then all messages are looked at. */
static bool is_due(struct search_update *u, int64_t now)
{
    if (!u->program.ages || (now >= u->time && now < u->time + IMAP_UPDATE_AGES))
        return false;
    u->time = now;
    return true;
}

void imap_updates_tell(struct imap_session *s)
{
    struct imap_selected *v = s->selected;
    if (!v || !v->updates)
        return;
    int64_t now = clock_wall() / USEC_SEC;
    for (struct search_update **place = &v->updates, *u; (u = *place) && !s->net.ended;) {
        bool all = is_due(u, now);
        search_set_time(&u->program, now);
        bool news = all || u->modseq != mailbox_modseq(v->mailbox) || u->uid_next != v->uid_next;
        if (!news || update(u, s, all)) {
            place = &u->next;
            continue;
        }
        imap_writef(s, "* NO [NOUPDATE \"%.*s\"] It cannot be kept up to date any more\r\n",
                    STR_ARG(u->tag));
        *place = u->next;
        imap_update_free(u);
    }
}
