/*
 * Special uses (RFC 6154). What was given is in the mailboxes' annotations; it is read once per
 * account and known until a folder operation or a change of it.
 */
#include "store/special_use.h"

#include "core/mem.h"
#include "core/worker.h"
#include "store/folder_disk.h"
#include "store/metadata.h"

#include <stdlib.h>

/* --- words --- */

/* \All and \Flagged would be views of other mailboxes. \Important: RFC 8457. */
static const char *const usable[] = {"\\Archive", "\\Drafts", "\\Important",
                                     "\\Junk",    "\\Sent",   "\\Trash"};

static bool has_word(struct str words, struct str word)
{
    struct str next;
    while ((next = str_word(&words)).p) {
        if (str_equal_nocase(next, word))
            return true;
    }
    return false;
}

bool special_use_overlap(struct str a, struct str b)
{
    struct str word;
    while ((word = str_word(&a)).p) {
        if (has_word(b, word))
            return true;
    }
    return false;
}

struct str special_use_without(struct str words, struct str taken, struct arena *arena)
{
    struct buf left = BUF_EMPTY;
    struct str word;

    while ((word = str_word(&words)).p) {
        if (!has_word(taken, word))
            buf_add_word(&left, word);
    }
    struct str result = arena_str(arena, buf_str(&left));
    buf_free(&left);
    return result;
}

bool special_use_check(struct str words, struct buf *canonical, struct err *e)
{
    struct str word;

    while ((word = str_word(&words)).p) {
        size_t i = 0, count = sizeof(usable) / sizeof(*usable);
        while (i < count && !str_equal_nocase(word, str_from_c(usable[i])))
            i++;
        if (i == count)
            return err_set(e, ERR_SYNTAX, "no mailbox can be used as %.*s",
                           STR_ARG(str_head(word, 100)));
        if (!has_word(buf_str(canonical), word))
            buf_add_word(canonical, str_from_c(usable[i]));
    }
    return true;
}

/* --- which are in effect --- */

static const struct special_use *find(const struct special_uses *u, struct str mailbox)
{
    for (size_t i = 0; i < u->count; i++) {
        if (str_equal(str_from_c(u->list[i].name), mailbox))
            return &u->list[i];
    }
    return NULL;
}

struct str special_use_of(const struct store *s, const struct special_uses *u, struct str mailbox,
                          struct arena *arena)
{
    const struct special_use *given = find(u, mailbox);
    struct buf words = BUF_EMPTY;

    if (given)
        return arena_str(arena, str_from_c(given->uses));
    for (size_t i = 0; i < s->special_count; i++) {
        if (str_equal(s->special[i].name, mailbox))
            buf_add_word(&words, s->special[i].attribute);
    }
    struct str uses = arena_str(arena, buf_str(&words));
    buf_free(&words);
    for (size_t i = 0; i < u->count && uses.n > 0; i++)
        uses = special_use_without(uses, str_from_c(u->list[i].uses), arena);
    return uses;
}

/* --- what was given --- */

void special_uses_free(struct special_uses *u)
{
    for (size_t i = 0; i < u->count; i++) {
        free(u->list[i].name);
        free(u->list[i].uses);
    }
    free(u->list);
}

static void add(struct special_uses *u, struct str name, struct str uses)
{
    u->list = mem_grow(u->list, u->count, &u->capacity, sizeof(*u->list), 4);
    u->list[u->count++] = (struct special_use){mem_dup(name.p, name.n), mem_dup(uses.p, uses.n)};
}

static void read_one(struct special_uses *u, const struct store_account *a, struct str name)
{
    char *dir = mailbox_dir_path(a, name);
    struct arena *arena = arena_new();
    struct str path = arena_printf(arena, "%s/" METADATA_FILE, dir);
    struct metadata m;

    /* A file that cannot be read gives nothing; whoever asks for it hears why. */
    metadata_read(arena_c(arena, path), &m, arena, NULL);
    const struct metadata_entry *entry = metadata_find(&m, STR(METADATA_SPECIAL_USE));
    if (entry)
        add(u, name, entry->value);
    arena_free(arena);
    free(dir);
}

static void read_all(struct special_uses *u, const struct store_account *a, const struct buf *names)
{
    read_one(u, a, STR("INBOX"));
    for (size_t at = 0; at < names->n; at += strlen(names->p + at) + 1)
        read_one(u, a, str_from_c(names->p + at));
}

struct learn_job {
    const struct store_account *account;
    struct folder_disk disk;
    struct special_uses *uses;
    bool ok;
    struct err error;
};

static void run_learn(void *arg)
{
    struct learn_job *job = arg;
    struct buf names = BUF_EMPTY;

    job->ok = folder_disk_list(&job->disk, &names, &job->error);
    if (job->ok)
        read_all(job->uses, job->account, &names);
    buf_free(&names);
}

bool special_uses_learn(struct store_account *a, struct err *e)
{
    while (!a->special) {
        struct learn_job job = {
            .account = a, .disk = folder_disk_of(a), .uses = MEM_NEW(struct special_uses)};
        uint32_t round = a->special_round;
        worker_run(WORKER_DISK, run_learn, &job);
        if (job.ok && !a->special && round == a->special_round) {
            a->special = job.uses;
            return true;
        }
        special_uses_free(job.uses);
        free(job.uses);
        if (!job.ok) {
            if (e)
                *e = job.error;
            return false;
        }
    }
    return true;
}

void special_uses_forget(struct store_account *a)
{
    a->special_round++;
    if (a->special) {
        special_uses_free(a->special);
        free(a->special);
    }
    a->special = NULL;
}
