/*
 * Which files the store has. Numbers only go up, and a file with a higher number is newer.
 */
#include "core/disk.h"
#include "core/mem.h"
#include "trace/limits.h"
#include "trace/volume.h"

#include <stdlib.h>

#define DIGITS 10

static const char *const endings[VOLUME_FILES] = {
    [VOLUME_LINES] = ".log",           [VOLUME_INDEX] = ".index",
    [VOLUME_PACKED] = ".log.gz",       [VOLUME_PACKED_INDEX] = ".gz.index",
    [VOLUME_DAMAGED] = ".log.damaged",
};

void volume_add_path(struct buf *b, const char *dir, uint32_t number, enum volume_file file)
{
    buf_printf(b, "%s/%0*u%s", dir, DIGITS, number, endings[file]);
}

static bool take_name(struct volume_list *l, const char *name)
{
    uint32_t number;
    struct str text = str_from_c(name), digits = str_head(text, DIGITS);
    struct str ending = str_skip(text, DIGITS);
    if (digits.n != DIGITS || !str_to_u32(digits, &number))
        return false;
    l->highest = number > l->highest ? number : l->highest;
    if (str_equal(ending, str_from_c(endings[VOLUME_DAMAGED])))
        l->damaged++;
    if (!str_equal(ending, str_from_c(endings[VOLUME_LINES])) &&
        !str_equal(ending, str_from_c(endings[VOLUME_PACKED])))
        return false;
    l->numbers = mem_grow(l->numbers, l->count, &l->room, sizeof(*l->numbers), 64);
    l->numbers[l->count++] = number;
    return true;
}

static bool add_name(void *arg, const char *name, unsigned char type)
{
    struct volume_list *l = arg;
    (void)type;
    take_name(l, name);
    return l->count < TRACE_FILES_MAX;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

bool volume_list_read(struct volume_list *l, const char *dir, struct err *e)
{
    struct err error;
    *l = (struct volume_list){0};
    if (!disk_list(dir, add_name, l, &error)) {
        if (error.kind == ERR_NOT_FOUND)
            return true;
        if (e)
            *e = error;
        return false;
    }
    if (l->count == 0)
        return true;
    qsort(l->numbers, l->count, sizeof(*l->numbers), compare);
    size_t count = 1; /* one may be there in both forms */
    for (size_t i = 1; i < l->count; i++)
        if (l->numbers[i] != l->numbers[count - 1])
            l->numbers[count++] = l->numbers[i];
    l->count = count;
    return true;
}

void volume_list_free(struct volume_list *l)
{
    free(l->numbers);
    *l = (struct volume_list){0};
}

uint64_t volume_size(const char *dir, uint32_t number, usec *last)
{
    uint64_t bytes = 0;
    *last = 0;
    for (int file = 0; file < VOLUME_FILES; file++) {
        struct buf path = BUF_EMPTY;
        struct stat st;
        volume_add_path(&path, dir, number, (enum volume_file)file);
        if (disk_stat(buf_c(&path), &st, NULL)) {
            bytes += (uint64_t)st.st_size;
            usec written = (usec)st.st_mtim.tv_sec * USEC_SEC;
            *last = written > *last ? written : *last;
        }
        buf_free(&path);
    }
    return bytes;
}

void volume_remove(const char *dir, uint32_t number)
{
    for (int file = 0; file < VOLUME_FILES; file++) {
        struct buf path = BUF_EMPTY;
        volume_add_path(&path, dir, number, (enum volume_file)file);
        disk_unlink(buf_c(&path), NULL);
        buf_free(&path);
    }
}

static bool rename_file(const char *dir, uint32_t number, enum volume_file from,
                        enum volume_file to)
{
    struct buf old = BUF_EMPTY, new = BUF_EMPTY;
    volume_add_path(&old, dir, number, from);
    volume_add_path(&new, dir, number, to);
    bool ok = disk_rename(buf_c(&old), buf_c(&new), NULL);
    buf_free(&old);
    buf_free(&new);
    return ok;
}

void volume_set_aside(const char *dir, uint32_t number)
{
    if (!rename_file(dir, number, VOLUME_LINES, VOLUME_DAMAGED))
        rename_file(dir, number, VOLUME_PACKED, VOLUME_DAMAGED);
    for (int file = 0; file < VOLUME_DAMAGED; file++) {
        struct buf path = BUF_EMPTY;
        volume_add_path(&path, dir, number, (enum volume_file)file);
        disk_unlink(buf_c(&path), NULL);
        buf_free(&path);
    }
}
