/*
 * Damage: bits that rotted, blocks that cannot be read, files that are missing. What was damaged
 * is moved to DIR/damaged/ when the checkpoint after the replay makes it dispensable, with a text
 * file of the same name beside it that says what happened; as long as that is there, every start
 * and `mailctl status` say it again.
 */
#include "core/disk.h"
#include "core/journal_private.h"
#include "core/log.h"
#include "core/mem.h"

#include <inttypes.h>
#include <stdlib.h>

#define DAMAGED_DIR "damaged"
#define REPORT_MAX  (64 * 1024)

void damage_add(struct journal *j, const char *text)
{
    struct damage *d = MEM_NEW(struct damage);
    d->text = mem_dup(text, strlen(text));
    *(j->damage_last ? &j->damage_last->next : &j->damage_first) = d;
    j->damage_last = d;
}

void damage_free_all(struct journal *j)
{
    while (j->damage_first) {
        struct damage *d = j->damage_first;
        j->damage_first = d->next;
        free(d->text);
        free(d);
    }
}

const char *journal_damage(const struct journal *j, size_t i)
{
    const struct damage *d = j->damage_first;
    while (d && i-- > 0)
        d = d->next;
    return d ? d->text : NULL;
}

char *damage_path(const struct journal *j, const char *name)
{
    struct buf b = BUF_EMPTY;
    buf_printf(&b, "%s/" DAMAGED_DIR "/%" PRId64 "-%s", j->dir, clock_wall() / USEC_SEC, name);
    buf_c(&b);
    return b.p;
}

static bool write_report(const char *path, const char *report, struct err *e)
{
    struct buf dir = BUF_EMPTY, name = BUF_EMPTY;
    buf_add(&dir, path, (size_t)(strrchr(path, '/') - path));
    buf_printf(&name, "%s.txt", path);
    bool ok = disk_make_dirs(buf_c(&dir), 0700, e) &&
              disk_replace_file(buf_c(&name), str_from_c(report), 0600, e);
    buf_free(&dir);
    buf_free(&name);
    return ok;
}

bool damage_move(const struct segment *s)
{
    struct err e;
    if (write_report(s->damaged, s->report, &e) && disk_rename(s->path, s->damaged, &e))
        return true;
    log_error("maild", NULL, "damaged file stays in place file=<%s> reason=\"%s\"", s->path,
              e.text);
    return false;
}

void damage_copy(const char *path, const char *to, const char *report)
{
    struct err e;
    struct buf content = BUF_EMPTY;
    disk_read_file(path, REPORT_MAX, &content, NULL);
    if (!write_report(to, report, &e) || !disk_replace_file(to, buf_str(&content), 0600, &e))
        log_error("maild", NULL, "damaged file stays in place file=<%s> reason=\"%s\"", path,
                  e.text);
    buf_free(&content);
}

struct loading {
    struct journal *j;
    struct buf dir, path, text;
};

static bool load_one(void *arg, const char *name, unsigned char type)
{
    struct loading *l = arg;
    (void)type;
    if (!str_ends_with_nocase(str_from_c(name), STR(".txt")))
        return true;
    buf_clear(&l->path);
    buf_clear(&l->text);
    buf_printf(&l->path, "%s/%s", l->dir.p, name);
    if (disk_read_file(buf_c(&l->path), REPORT_MAX, &l->text, NULL))
        damage_add(l->j, buf_c(&l->text));
    return true;
}

void damage_load(struct journal *j)
{
    struct loading l = {.j = j};
    buf_printf(&l.dir, "%s/" DAMAGED_DIR, j->dir);
    disk_list(buf_c(&l.dir), load_one, &l, NULL);
    buf_free(&l.dir);
    buf_free(&l.path);
    buf_free(&l.text);
}
