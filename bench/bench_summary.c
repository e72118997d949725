/*
 * What it costs to look into messages: builds the summaries of all files of a directory, which are
 * read before, ROUNDS times. Prints microseconds a message and its mean size.
 *
 *   bench_summary DIRECTORY [ROUNDS]
 */
#include "core/arena.h"
#include "core/buf.h"
#include "store/summary_record.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct message_list {
    struct str *messages;
    size_t count, bytes;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void add_file(struct message_list *l, const char *directory, const char *name)
{
    struct buf bytes = BUF_EMPTY, path = BUF_EMPTY;
    char piece[65536];
    size_t n;
    buf_printf(&path, "%s/%s", directory, name);
    FILE *f = fopen(buf_c(&path), "r");
    buf_free(&path);
    while (f && (n = fread(piece, 1, sizeof(piece), f)) > 0)
        buf_add(&bytes, piece, n);
    if (f)
        fclose(f);
    if (l->count % 1024 == 0)
        l->messages = realloc(l->messages, (l->count + 1024) * sizeof(*l->messages));
    l->messages[l->count++] = buf_str(&bytes);
    l->bytes += bytes.n;
}

static struct message_list read_all(const char *directory)
{
    struct message_list l = {0};
    struct dirent *entry;
    DIR *d = opendir(directory);
    while (d && (entry = readdir(d)))
        if (entry->d_name[0] != '.')
            add_file(&l, directory, entry->d_name);
    if (d)
        closedir(d);
    return l;
}

int main(int argc, char **argv)
{
    struct message_list l = {0};
    int rounds = argc > 2 ? atoi(argv[2]) : 3;
    double best = 1e9;
    if (argc > 1)
        l = read_all(argv[1]);
    if (l.count == 0) {
        fprintf(stderr, "usage: bench_summary DIRECTORY [ROUNDS]\n");
        return 1;
    }
    struct arena *a = arena_new_sized(32 * 1024);
    for (int i = 0; i < rounds; i++) {
        double t = now();
        for (size_t m = 0; m < l.count; m++) {
            summary_record_unref(summary_record_of(a, l.messages[m], l.messages[m].n));
            arena_reset(a);
        }
        double seconds = now() - t;
        best = seconds < best ? seconds : best;
    }
    printf("%.3f %zu\n", best / (double)l.count * 1e6, l.bytes / l.count);
    return 0;
}
