/*
 * Answers that DNSSEC vouches for, from a server with signed zones (Knot) on loopback: the chain of
 * trust from our anchor, what is outside of it, and what was signed with other keys.
 */
#include "net/dns.h"
#include "net/net_test.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static char dir[] = "/tmp/maild-dns-XXXXXX";
static char server_text[40], anchor[80], config[80];
static pid_t server;

/* --- the server --- */

static void write_file(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void write_file(const char *name, const char *format, ...)
{
    char path[120];
    va_list args;
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    va_start(args, format);
    vfprintf(f, format, args);
    va_end(args);
    fclose(f);
}

static uint16_t free_port(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(in);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    getsockname(fd, (struct sockaddr *)&in, &n);
    close(fd);
    return ntohs(in.sin_port);
}

static void write_zones(uint16_t port)
{
    static const char zone[] = "$ORIGIN %s.\n$TTL 60\n@ SOA ns h 1 3600 600 86400 2\n@ NS ns\n"
                               "ns A 127.0.0.1\n@ MX 10 mx\nmx A 127.0.0.2\nalias CNAME mx\n"
                               "out CNAME mx.plain.test.\n"
                               "_25._tcp.mx TLSA 3 1 1 %s\n";
    const char *hash = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    write_file("good.test.zone", zone, "good.test", hash);
    write_file("bad.test.zone", zone, "bad.test", hash);
    write_file("plain.test.zone", zone, "plain.test", hash);
    write_file(
        "knot.conf",
        "server:\n    rundir: \"%s\"\n    listen: 127.0.0.1@%u\n    udp-workers: 1\n"
        "    tcp-workers: 1\n    background-workers: 1\n"
        "log:\n  - target: stderr\n    any: info\n"
        "database:\n    storage: \"%s\"\n    journal-db-max-size: 32M\n"
        "    kasp-db-max-size: 32M\n    timer-db-max-size: 8M\n"
        "policy:\n  - id: quick\n    algorithm: ecdsap256sha256\n    single-type-signing: on\n"
        "template:\n  - id: default\n    storage: \"%s\"\n    file: \"%%s.zone\"\n"
        "    zonefile-sync: -1\n"
        "  - id: signed\n    storage: \"%s\"\n    file: \"%%s.zone\"\n    zonefile-sync: -1\n"
        "    dnssec-signing: on\n    dnssec-policy: quick\n"
        "zone:\n  - domain: good.test\n    template: signed\n"
        "  - domain: bad.test\n    template: signed\n  - domain: plain.test\n",
        dir, port, dir, dir, dir);
}

static bool log_says(const char *text, int times)
{
    struct buf log = BUF_EMPTY;
    char path[120];
    snprintf(path, sizeof(path), "%s/log", dir);
    bool ok = disk_read_file(path, 1 << 20, &log, NULL);
    struct str rest = buf_str(&log);
    while (ok && times > 0) {
        ptrdiff_t at = str_find(rest, str_from_c(text));
        if (at < 0)
            break;
        rest = str_skip(rest, (size_t)at + 1);
        times--;
    }
    buf_free(&log);
    return times == 0;
}

/* The DS records of both zones; of the second with another hash. */
static bool write_anchor(void)
{
    char command[400], line[400], text[1000] = "";
    static const char *const zones[] = {"good.test", "bad.test"};
    for (int i = 0; i < 2; i++) {
        snprintf(command, sizeof(command), "keymgr -c %s %s ds 2>/dev/null", config, zones[i]);
        FILE *f = popen(command, "r");
        bool found = false;
        while (f && fgets(line, sizeof(line), f)) {
            char *ds = strstr(line, " DS "), *hash = strrchr(line, ' ');
            if (found || !ds || !hash || !strstr(ds, " 13 2 "))
                continue;
            found = true;
            if (i == 1)
                memset(hash + 1, '0', 8);
            size_t n = strlen(text);
            snprintf(text + n, sizeof(text) - n, "%s. 3600 IN%s", zones[i], ds);
        }
        if (!f || pclose(f) != 0 || !found)
            return false;
    }
    write_file("anchor", "%s", text);
    return true;
}

static bool start_server(uint16_t port)
{
    char log[120];
    write_zones(port);
    snprintf(log, sizeof(log), "%s/log", dir);
    server = fork();
    if (server == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* also when a failed test ends the program */
        execlp("knotd", "knotd", "-m", "64", "-c", config, NULL);
        _exit(127);
    }
    for (int i = 0; i < 3000; i++) {
        int status;
        if (waitpid(server, &status, WNOHANG) == server) {
            server = 0;
            return false;
        }
        if (log_says("successfully signed", 2) && log_says("server started", 1))
            return write_anchor();
        usleep(10000);
    }
    return false;
}

static int setup(void **state)
{
    (void)state;
    const char *path = getenv("PATH");
    char wider[4096];
    snprintf(wider, sizeof(wider), "%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
    setenv("PATH", wider, 1);
    assert_non_null(mkdtemp(dir));
    snprintf(config, sizeof(config), "%s/knot.conf", dir);
    snprintf(anchor, sizeof(anchor), "%s/anchor", dir);
    uint16_t port = free_port();
    snprintf(server_text, sizeof(server_text), "127.0.0.1@%u", port);
    if (!start_server(port))
        *server_text = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (server > 0) {
        kill(server, SIGTERM);
        waitpid(server, NULL, 0);
    }
    disk_remove_tree(dir, NULL);
    return 0;
}

/* --- the test --- */

static struct dns *dns;
static struct arena *arena;

static bool secure(enum dns_status status, const struct dns_answer *a)
{
    assert_int_equal(status, DNS_FOUND);
    return a->secure;
}

static void signed_zone(void)
{
    struct dns_answer a;
    struct err e;
    assert_true(secure(dns_mx(dns, STR("good.test"), arena, &a, &e), &a));
    assert_str(a.mx[0].host, "mx.good.test");
    assert_true(secure(dns_addresses(dns, STR("mx.good.test"), arena, &a, &e), &a));
    assert_str(a.canonical, "");
    assert_true(secure(dns_addresses(dns, STR("Alias.Good.test"), arena, &a, &e), &a));
    assert_str(a.canonical, "mx.good.test");
    assert_true(secure(
        dns_tlsa_until(dns, STR("_25._tcp.mx.good.test"), DEADLINE_NONE, arena, &a, &e), &a));
    assert_int_equal(a.count, 1);
    assert_int_equal(a.tlsa[0].usage, 3);
    assert_int_equal(a.tlsa[0].selector, 1);
    assert_int_equal(a.tlsa[0].matching, 1);
    assert_int_equal(a.tlsa[0].data.n, 32);
    assert_memory_equal(a.tlsa[0].data.p, "\x00\x11\x22\x33", 4);
    /* That something is not there is signed as well. */
    assert_int_equal(
        dns_tlsa_until(dns, STR("_25._tcp.none.good.test"), DEADLINE_NONE, arena, &a, &e),
        DNS_NOT_FOUND);
    assert_true(a.secure && a.nxdomain);
    assert_int_equal(dns_mx(dns, STR("mx.good.test"), arena, &a, &e), DNS_NOT_FOUND);
    assert_true(a.secure && !a.nxdomain);

    /* A signed alias for something that is not. */
    assert_false(secure(dns_addresses(dns, STR("out.good.test"), arena, &a, &e), &a));
    assert_str(a.canonical, "mx.plain.test");
    assert_true(
        secure(dns_alias_until(dns, STR("out.good.test"), DEADLINE_NONE, arena, &a, &e), &a));
    assert_str(a.texts[0], "mx.plain.test");
    assert_int_equal(dns_alias_until(dns, STR("mx.good.test"), DEADLINE_NONE, arena, &a, &e),
                     DNS_NOT_FOUND);
}

static void other_zones(void)
{
    struct dns_answer a;
    struct err e;
    assert_false(secure(dns_mx(dns, STR("plain.test"), arena, &a, &e), &a));
    assert_false(secure(
        dns_tlsa_until(dns, STR("_25._tcp.mx.plain.test"), DEADLINE_NONE, arena, &a, &e), &a));
    /* Signed, but not with the key that we trust. */
    assert_int_equal(dns_mx(dns, STR("bad.test"), arena, &a, &e), DNS_TEMPFAIL);
    assert_true(a.bogus);
    assert_int_equal(dns_addresses(dns, STR("mx.bad.test"), arena, &a, &e), DNS_TEMPFAIL);
    assert_true(a.bogus && a.count == 0);
    assert_int_equal(dns_tlsa_until(dns, STR("_25._tcp.mx.bad.test"), DEADLINE_NONE, arena, &a, &e),
                     DNS_TEMPFAIL);
    assert_true(a.bogus);
}

static void body(void)
{
    struct dns_settings s = {server_text, anchor, 20 * USEC_SEC};
    arena = arena_new();
    assert_ok((dns = dns_new(loop, &s, e)));
    assert_true(dns_validates(dns));
    signed_zone();
    other_zones();
    dns_free(dns);
    arena_free(arena);
}

/* Without an anchor nothing is secure, and nothing bogus. */
static void without_anchor(void)
{
    struct dns_settings s = {server_text, "", 20 * USEC_SEC};
    struct dns_answer a;
    arena = arena_new();
    assert_ok((dns = dns_new(loop, &s, e)));
    struct err e;
    assert_false(dns_validates(dns));
    assert_false(secure(dns_mx(dns, STR("good.test"), arena, &a, &e), &a));
    assert_false(secure(dns_mx(dns, STR("bad.test"), arena, &a, &e), &a));
    dns_free(dns);
    arena_free(arena);
}

static void run_or_skip(void (*fn)(void))
{
    if (!*server_text) {
        printf("the DNS server Knot does not run here (scripts/install-dependencies --tests)\n");
        skip();
    }
    in_loop(fn);
}

static void test_chain_of_trust(void **state)
{
    (void)state;
    run_or_skip(body);
}

static void test_without_anchor(void **state)
{
    (void)state;
    run_or_skip(without_anchor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain_of_trust),
        cmocka_unit_test(test_without_anchor),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
