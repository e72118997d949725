/*
 * Fills an event store through its own writer, as a server does that people have used for months:
 *
 *     fill_trace DIRECTORY MEGABYTES ACCOUNT...
 *
 * All accounts log in all the time, so what is looked for by one of them may be in any block.
 */
#include "core/clock.h"
#include "trace/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCH ((size_t)64 * 1024)

static bool is_never_urgent(void *arg)
{
    (void)arg;
    return false;
}

static void add_login(struct buf *b, const char *account, size_t n)
{
    char when[40];
    time_t now = time(NULL);
    struct tm tm;
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", gmtime_r(&now, &tm));
    buf_printf(b,
               "%s.000Z info imap[id%011zu]: login user=<%s> peer=192.0.2.%zu tls=TLSv1.3 "
               "mechanism=PLAIN\n",
               when, n, account, n % 250);
}

int main(int argc, char **argv)
{
    size_t size = argc > 3 ? (size_t)strtoul(argv[2], NULL, 10) * 1024 * 1024 : 0, n = 0;
    struct buf b = BUF_EMPTY;
    struct trace_report report;
    if (size == 0)
        return 2;
    struct writer *w = writer_new(argv[1], is_never_urgent, NULL);
    for (size_t done = 0; done < size; done += b.n) {
        size_t begin = n;
        buf_clear(&b);
        for (; b.n < BATCH; n++)
            add_login(&b, argv[3 + n % (size_t)(argc - 3)], n);
        struct writer_batch batch = {
            .lines = buf_str(&b),
            .count = n - begin,
            .limits = {.keep = 14 * 86400 * USEC_SEC, .size_max = UINT64_MAX}};
        writer_keep(w, &batch);
    }
    writer_report(w, &report);
    printf("%llu\n", (unsigned long long)report.counts.kept);
    writer_free(w);
    buf_free(&b);
    return report.counts.lost > 0;
}
