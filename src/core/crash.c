/*
 * The handler of faults (SIGSEGV, SIGABRT - a broken invariant, or the watchdog's patience with a
 * loop that hangs - and the like) runs on a stack of its own, since the fiber's may be what was
 * used up. It knows who is to blame by the thread it runs on: the fiber that runs, or what a worker
 * was given. It writes one line with one system call, lets the log say what it has, puts back the
 * action that was there before it (the system's, or that of a sanitizer, which has the threads'
 * stacks for it as well) and lets the process die of it. A process that is killed from outside
 * leaves no line, and so nobody is blamed for a machine without memory.
 *
 *   TIME SIGNAL KIND NAME PART        with tabs between them; %XX for odd bytes; "-" for nothing
 *
 * The file is not synced: after a power cut it is as it was, or shorter, and nothing crashed. It is
 * replaced at each start without what is too old to count (the times in `kinds`). A line that
 * cannot be read is left out.
 */
#include "core/crash.h"

#include "core/buf.h"
#include "core/disk.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/loop_private.h"
#include "core/mem.h"
#include "core/sanitizer.h"
#include "core/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_MAX      ((size_t)1024 * 1024)
#define CRASHES_MAX   1000
#define LINE_SIZE     4096
#define TEXT_MAX      600 /* bytes of a name or part */
#define HANDLER_STACK ((size_t)64 * 1024)
#define HOUR          (3600 * USEC_SEC)

struct kind {
    const char *name;
    usec counts;   /* for how long after a crash */
    bool for_ever; /* once it is accused */
};
static const struct kind kinds[SUSPECT_KINDS] = {
    [SUSPECT_MESSAGE] = {"message", 7 * 24 * HOUR, false},
    [SUSPECT_MAILBOX] = {"mailbox", 7 * 24 * HOUR, true},
    [SUSPECT_REPLAY] = {"replay", 7 * 24 * HOUR, true},
    [SUSPECT_SENDER] = {"sender", HOUR, false},
};

static const int faults[] = {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGTRAP};
#define FAULTS (sizeof(faults) / sizeof(*faults))

struct crashes {
    char *path;
    struct crash *list;
    size_t count;
    bool changed; /* the file has more */
    bool saving;
    struct cond saved;
};

/* What the handler needs: a signal has no argument. */
static int crash_file = -1;
static bool watching;
static struct sigaction before[FAULTS];
static _Thread_local const struct suspect *of_thread;

const char *suspect_kind_name(enum suspect_kind kind)
{
    return kinds[kind].name;
}

/* --- who is to blame --- */

static const struct suspect **present(void)
{
    struct fiber *f = fiber_self();
    return f ? &f->suspect : &of_thread;
}

void suspect_begin(struct suspect *s, enum suspect_kind kind, struct str name, struct str part)
{
    const struct suspect **at = present();
    *s = (struct suspect){.outer = *at, .kind = kind, .name = name, .part = part};
    *at = s;
}

void suspect_end(struct suspect *s)
{
    *present() = s->outer;
}

const struct suspect *suspect_present(void)
{
    return *present();
}

void suspect_lend(const struct suspect *s)
{
    of_thread = s;
}

/* --- in the handler: nothing here may allocate or lock --- */

struct line {
    char bytes[LINE_SIZE];
    size_t n;
};

static void add_char(struct line *l, char c)
{
    if (l->n < sizeof(l->bytes))
        l->bytes[l->n++] = c;
}

static void add_number(struct line *l, uint64_t value)
{
    char digits[20];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
    } while ((value /= 10) > 0);
    while (n > 0)
        add_char(l, digits[--n]);
}

static void add_text(struct line *l, struct str s)
{
    static const char hex[] = "0123456789ABCDEF";
    if (s.n == 0)
        add_char(l, '-');
    for (size_t i = 0; i < s.n && i < TEXT_MAX; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool odd = c <= ' ' || c == '%' || c == 0x7f || (c == '-' && s.n == 1);
        add_char(l, odd ? '%' : (char)c);
        if (odd) {
            add_char(l, hex[c >> 4]);
            add_char(l, hex[c & 15]);
        }
    }
}

static void note(int number, const struct suspect *s)
{
    struct line l = {.n = 0};
    add_number(&l, (uint64_t)(clock_wall() / USEC_SEC));
    add_char(&l, '\t');
    add_number(&l, (uint64_t)number);
    add_char(&l, '\t');
    add_text(&l, str_from_c(kinds[s->kind].name));
    add_char(&l, '\t');
    add_text(&l, s->name);
    add_char(&l, '\t');
    add_text(&l, s->part);
    if (l.n == sizeof(l.bytes))
        l.n--;
    add_char(&l, '\n');
    if (write(crash_file, l.bytes, l.n) < 0)
        return; /* the process ends now, whatever becomes of the note */
}

static void on_fault(int number)
{
    const struct suspect *s = suspect_present();
    if (s && crash_file >= 0)
        note(number, s);
    log_flush_in_handler();
    for (size_t i = 0; i < FAULTS; i++)
        if (faults[i] == number)
            sigaction(number, &before[i], NULL);
    raise(number); /* when this function has returned */
}

/* --- watching --- */

static void *own_stack(void)
{
#ifdef HAVE_ASAN
    return NULL;
#endif
    void *p = mmap(NULL, HANDLER_STACK, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* A fault whose signal is blocked ends the process without the handler. */
static void let_faults_through(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < FAULTS; i++)
        sigaddset(&set, faults[i]);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void *crash_watch_thread(void)
{
    stack_t stack = {.ss_sp = watching ? own_stack() : NULL, .ss_size = HANDLER_STACK};
    let_faults_through();
    if (stack.ss_sp)
        sigaltstack(&stack, NULL);
    return stack.ss_sp;
}

void crash_forget_thread(void *stack)
{
    stack_t none = {.ss_flags = SS_DISABLE};
    if (!stack)
        return;
    sigaltstack(&none, NULL);
    munmap(stack, HANDLER_STACK);
}

static void watch(void)
{
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    if (watching)
        return;
    watching = true;
    crash_watch_thread();
    for (size_t i = 0; i < FAULTS; i++)
        sigaction(faults[i], &action, &before[i]);
}

/* --- the file --- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* False: not as it was written. */
static bool read_text(struct str in, struct str *out)
{
    struct buf b = BUF_EMPTY;
    bool nothing = str_equal(in, STR("-"));
    for (size_t i = 0; !nothing && i < in.n; i++) {
        if (in.p[i] != '%') {
            buf_add(&b, in.p + i, 1);
            continue;
        }
        int high = i + 2 < in.n ? hex_value(in.p[i + 1]) : -1;
        int low = i + 2 < in.n ? hex_value(in.p[i + 2]) : -1;
        if (high < 0 || low < 0) {
            buf_free(&b);
            return false;
        }
        buf_add_u8(&b, (uint8_t)(high << 4 | low));
        i += 2;
    }
    *out = str_from(mem_dup(b.p ? b.p : "", b.n), b.n);
    buf_free(&b);
    return true;
}

static bool read_kind(struct str name, enum suspect_kind *kind)
{
    for (size_t i = 0; i < SUSPECT_KINDS; i++) {
        *kind = (enum suspect_kind)i;
        if (str_equal(name, str_from_c(kinds[i].name)))
            return true;
    }
    return false;
}

static bool read_line(struct str line, struct crash *out)
{
    struct str when = str_split(&line, '\t'), number = str_split(&line, '\t');
    struct str kind = str_split(&line, '\t'), name = str_split(&line, '\t');
    uint64_t seconds, signal_number;
    *out = (struct crash){0};
    if (!line.p || !str_to_u64(when, &seconds) || seconds > INT32_MAX * UINT64_C(64) ||
        !str_to_u64(number, &signal_number) || signal_number > 64 || !read_kind(kind, &out->kind) ||
        !read_text(name, &out->name))
        return false;
    out->when = (usec)seconds * USEC_SEC;
    out->signal = (int)signal_number;
    if (read_text(line, &out->part))
        return true;
    free((char *)out->name.p);
    return false;
}

static void drop(struct crashes *c, size_t i)
{
    free((char *)c->list[i].name.p);
    free((char *)c->list[i].part.p);
    memmove(c->list + i, c->list + i + 1, (c->count - i - 1) * sizeof(*c->list));
    c->count--;
}

static void read_lines(struct crashes *c, struct str text)
{
    while (text.n > 0) {
        struct str line = str_split(&text, '\n');
        struct crash crash;
        if (!read_line(line, &crash))
            continue;
        if (c->count == CRASHES_MAX)
            drop(c, 0);
        c->list[c->count++] = crash;
    }
}

static bool is_same(const struct crash *c, enum suspect_kind kind, struct str name, struct str part)
{
    return c->kind == kind && str_equal(c->name, name) && (!part.p || str_equal(c->part, part));
}

bool crashes_accuse(const struct crashes *c, enum suspect_kind kind, struct str name,
                    struct str part)
{
    size_t found = 0;
    for (size_t i = 0; c && i < c->count; i++)
        found += is_same(&c->list[i], kind, str_head(name, TEXT_MAX), str_head(part, TEXT_MAX));
    return found >= CRASHES_TOO_MANY;
}

/* The last one of a thing counts for all of it. */
static usec last_of(const struct crashes *c, const struct crash *like)
{
    usec last = 0;
    for (size_t i = 0; i < c->count; i++)
        if (is_same(&c->list[i], like->kind, like->name, like->part) && c->list[i].when > last)
            last = c->list[i].when;
    return last;
}

static void drop_old(struct crashes *c)
{
    usec now = clock_wall();
    for (size_t i = 0; i < c->count;) {
        const struct crash *x = &c->list[i];
        bool stays = kinds[x->kind].for_ever && crashes_accuse(c, x->kind, x->name, x->part);
        if (stays || last_of(c, x) > now - kinds[x->kind].counts)
            i++;
        else
            drop(c, i);
    }
}

static struct buf text_of(const struct crashes *c)
{
    struct buf text = BUF_EMPTY;
    for (size_t i = 0; i < c->count; i++) {
        const struct crash *x = &c->list[i];
        struct line l = {.n = 0};
        add_text(&l, x->name);
        add_char(&l, '\t');
        add_text(&l, x->part);
        buf_printf(&text, "%lld\t%d\t%s\t%.*s\n", (long long)(x->when / USEC_SEC), x->signal,
                   kinds[x->kind].name, (int)l.n, l.bytes);
    }
    return text;
}

struct writing {
    const char *path;
    struct buf text;
    int fd; /* of the new file */
    bool ok;
    struct err error;
};

static void write_file(void *arg)
{
    struct writing *w = arg;
    w->ok = disk_replace_file(w->path, buf_str(&w->text), 0600, &w->error) &&
            disk_open(w->path, O_WRONLY | O_APPEND, 0, &w->fd, &w->error);
}

/* Crashes are noted in the new file from now on. */
static bool use_file(struct writing *w, struct err *e)
{
    int old = crash_file;
    buf_free(&w->text);
    if (!w->ok) {
        if (e)
            *e = w->error;
        return false;
    }
    crash_file = w->fd;
    if (old >= 0)
        disk_close(old);
    return true;
}

struct crashes *crashes_open(const char *path, struct err *e)
{
    struct crashes *c = MEM_NEW(struct crashes);
    struct buf text = BUF_EMPTY;
    struct err why = {0};
    c->path = mem_dup(path, strlen(path));
    c->list = mem_array(CRASHES_MAX, sizeof(*c->list));
    if (disk_read_file(path, FILE_MAX, &text, &why))
        read_lines(c, buf_str(&text));
    buf_free(&text);
    drop_old(c);
    struct writing w = {.path = c->path, .text = text_of(c)};
    write_file(&w);
    if (!use_file(&w, e)) {
        crashes_free(c);
        return NULL;
    }
    watch();
    return c;
}

void crashes_free(struct crashes *c)
{
    if (!c)
        return;
    while (c->count > 0)
        drop(c, c->count - 1);
    free(c->list);
    free(c->path);
    free(c);
}

size_t crashes_forgive(struct crashes *c, enum suspect_kind kind, struct str name, struct str part)
{
    size_t forgiven = 0;
    for (size_t i = 0; c && i < c->count;) {
        if (is_same(&c->list[i], kind, name, part)) {
            drop(c, i);
            forgiven++;
        } else {
            i++;
        }
    }
    if (forgiven > 0)
        c->changed = true;
    return forgiven;
}

bool crashes_save(struct crashes *c, struct err *e)
{
    while (c && c->saving)
        cond_wait_certain(&c->saved);
    if (!c || !c->changed)
        return true;
    struct writing w = {.path = c->path, .text = text_of(c)};
    c->saving = true;
    c->changed = false;
    worker_run(WORKER_DISK, write_file, &w);
    c->saving = false;
    cond_broadcast(&c->saved);
    bool ok = use_file(&w, e);
    c->changed = c->changed || !ok;
    return ok;
}

const struct crash *crashes_at(const struct crashes *c, size_t i)
{
    return c && i < c->count ? &c->list[i] : NULL;
}
