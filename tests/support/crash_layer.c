/*
 * Stands between maild and the C library, to be a fault of its own: whoever looks for a byte in a
 * text that holds the mark, while the file MAILD_CRASH_ARMED exists, reads through a null pointer.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char mark[] = "this makes it crash";

/* Not memmem: it may come back here. */
static int is_marked(const char *p, size_t n)
{
    for (size_t i = 0; i + sizeof(mark) - 1 <= n; i++) {
        size_t k = 0;
        while (k < sizeof(mark) - 1 && p[i + k] == mark[k])
            k++;
        if (k == sizeof(mark) - 1)
            return 1;
    }
    return 0;
}

void *memchr(const void *p, int c, size_t n)
{
    const unsigned char *at = p;
    const char *armed;
    if (n >= sizeof(mark) - 1 && is_marked(p, n) && (armed = getenv("MAILD_CRASH_ARMED")) &&
        access(armed, F_OK) == 0)
        return (void *)(size_t) * (volatile char *)NULL;
    for (; n > 0; n--, at++)
        if (*at == (unsigned char)c)
            return (void *)at;
    return NULL;
}
