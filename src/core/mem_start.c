/*
 * The end of the start. Most of what a server touches of its libraries is touched once: settings
 * are parsed, algorithms registered, keys read. These pages come from files and are never written,
 * so the process can let go of them: what is needed again is found in the page cache, the rest the
 * kernel can use for something else as soon as it wants to. That is 4 of 11 MiB.
 *
 * Not under a debugger, whose breakpoints are in copies of such pages, nor where a library's code
 * was relocated: these copies are all there is.
 */
#include "core/buf.h"
#include "core/disk.h"
#include "core/mem.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#define STATUS_MAX ((size_t)64 * 1024)

static bool is_traced(void)
{
    struct buf status = BUF_EMPTY;
    bool traced = !disk_read_file("/proc/self/status", STATUS_MAX, &status, NULL) ||
                  !strstr(buf_c(&status), "TracerPid:\t0\n");
    buf_free(&status);
    return traced;
}

static bool has_text_relocations(const struct dl_phdr_info *object)
{
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &object->dlpi_phdr[i];
        if (h->p_type != PT_DYNAMIC)
            continue;
        for (const ElfW(Dyn) *d = (const void *)(object->dlpi_addr + h->p_vaddr);
             d->d_tag != DT_NULL; d++) {
            if (d->d_tag == DT_TEXTREL || (d->d_tag == DT_FLAGS && d->d_un.d_val & DF_TEXTREL))
                return true;
        }
    }
    return false;
}

/* Whole pages only: what shares one with something else stays. */
static int drop_pages(struct dl_phdr_info *object, size_t size, void *arg)
{
    uintptr_t page = *(const uintptr_t *)arg;
    (void)size;

    if (has_text_relocations(object))
        return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &object->dlpi_phdr[i];
        uintptr_t begin = (object->dlpi_addr + h->p_vaddr + page - 1) & ~(page - 1);
        uintptr_t end = (object->dlpi_addr + h->p_vaddr + h->p_filesz) & ~(page - 1);
        if (h->p_type == PT_LOAD && !(h->p_flags & PF_W) && begin < end)
            madvise((void *)begin, end - begin, MADV_DONTNEED); /* where that fails they stay */
    }
    return 0;
}

void mem_leave_start(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    malloc_trim(0);
    if (!is_traced())
        dl_iterate_phdr(drop_pages, &page);
}
