/*
 * The files of the event store, whatever is in them: lines and their index, or a compressed file
 * and its index. The input is cut at its first "\n\n" into the two.
 */
#include "core/disk.h"
#include "core/mem.h"
#include "trace/pack.h"
#include "trace/scan.h"
#include "trace/volume.h"

#include <stdlib.h>
#include <unistd.h>

static void write_file(const char *dir, enum volume_file file, struct str content)
{
    struct buf path = BUF_EMPTY;
    struct err e;
    int fd;
    volume_add_path(&path, dir, 1, file);
    if (disk_open(buf_c(&path), O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd, &e)) {
        disk_write(fd, content.p, content.n, path.p, &e);
        disk_close(fd);
    }
    buf_free(&path);
}

static bool see(void *arg, const struct trace_event *event)
{
    size_t *bytes = arg;
    *bytes += event->component.n + event->id.n + event->text.n;
    return true;
}

static void search(const char *dir)
{
    struct str term = STR("alice@example.test");
    struct trace_scanned done;
    struct err e;
    size_t bytes = 0;
    for (int way = 0; way < 4; way++) {
        struct trace_query q = {
            .dir = dir, .terms = &term, .term_count = way & 1, .newest_first = way & 2};
        trace_search(&q, see, &bytes, &done, &e);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char dir[] = "/tmp/maild-fuzz-trace-XXXXXX";
    static bool made;
    struct str input = str_from((const char *)data, size);
    struct err e;
    bool mended;
    if (!made && !mkdtemp(dir))
        abort();
    made = true;
    ptrdiff_t cut = str_find(input, STR("\n\n"));
    struct str index = cut < 0 ? STR("") : str_head(input, (size_t)cut);
    struct str lines = cut < 0 ? input : str_skip(input, (size_t)cut + 2);
    write_file(dir, VOLUME_LINES, lines);
    write_file(dir, VOLUME_INDEX, index);
    search(dir);
    volume_mend(dir, 1, &mended, &e);
    search(dir);
    volume_remove(dir, 1);
    write_file(dir, VOLUME_PACKED, lines);
    write_file(dir, VOLUME_PACKED_INDEX, index);
    search(dir);
    pack_mend(dir, 1, &mended, &e);
    search(dir);
    volume_remove(dir, 1);
    return 0;
}
