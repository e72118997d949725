/* Listeners: both families, Unix sockets and what is left of them, no descriptors, closing. */
#include "net/listen_sockets.h"
#include "net/listener.h"
#include "net/net_test.h"
#include "net/socket_address.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

struct accepted {
    struct stream *streams[300];
    size_t n;
    struct listener *close; /* closed at the first connection */
};

static void on_accept(void *arg, struct stream *s)
{
    struct accepted *a = arg;
    a->streams[a->n++] = s;
    if (a->close)
        listener_close(a->close);
    a->close = NULL;
}

static void close_all(struct accepted *a)
{
    for (size_t i = 0; i < a->n; i++)
        stream_close(a->streams[i]);
    a->n = 0;
}

static void await(struct accepted *a, size_t n)
{
    usec deadline = deadline_in(5 * USEC_SEC);
    while (a->n < n && clock_monotonic() < deadline)
        fiber_yield();
    assert_int_equal(a->n, n);
}

static uint16_t port_of(const struct listener *l)
{
    struct str host;
    uint16_t port;
    assert_ok(socket_address_split(str_from_c(listener_address(l)), &host, &port, e));
    return port;
}

static struct stream *connect_to(const char *address, uint16_t port)
{
    struct stream *s;
    assert_ok((s = stream_connect(loop, address, port, NULL, deadline_in(USEC_SEC), e)));
    return s;
}

static void families(void)
{
    struct accepted a = {0};
    struct listener *l, *second;
    assert_ok((l = listener_open(loop, "*:0", 0, NULL, on_accept, &a, e)));
    uint16_t port = port_of(l);
    struct stream *v4 = connect_to("127.0.0.1", port);
    await(&a, 1);
    assert_string_equal(stream_peer(a.streams[0]), "127.0.0.1");
    assert_true(stream_peer_is_loopback(a.streams[0]));
    struct stream *v6 = connect_to("::1", port);
    await(&a, 2);
    assert_string_equal(stream_peer(a.streams[1]), "::1");
    assert_string_equal(stream_local(a.streams[1]), "::1");
    assert_true(strncmp(stream_peer_text(a.streams[1]), "[::1]:", 6) == 0);

    char address[40];
    struct err error = {0};
    snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    second = listener_open(loop, address, 0, NULL, on_accept, &a, &error);
    assert_null(second);
    assert_non_null(strstr(error.text, address));
    assert_non_null(strstr(error.text, "already in use"));
    assert_null(listener_open(loop, "mail.example.test:25", 0, NULL, on_accept, &a, &error));
    assert_null(listener_open(loop, "127.0.0.1", 0, NULL, on_accept, &a, &error));
    assert_null(listener_open(loop, "::1:25", 0, NULL, on_accept, &a, &error));
    assert_null(listener_open(loop, "127.0.0.1:65536", 0, NULL, on_accept, &a, &error));

    stream_close(v4);
    stream_close(v6);
    close_all(&a);
    listener_close(l);
    /* The port is free again, although old connections are in TIME_WAIT. */
    l = listener_open(loop, address, 0, NULL, on_accept, &a, &error);
    assert_non_null(l);
    assert_string_equal(listener_address(l), address);
    listener_close(l);
}

static void test_families(void **state)
{
    (void)state;
    in_loop(families);
}

static void unix_sockets(void)
{
    char dir[] = "/tmp/maild-test-XXXXXX", path[64], address[80];
    struct accepted a = {0};
    struct listener *l;
    struct err error = {0};
    struct stat st;
    uid_t uid;
    gid_t gid;
    pid_t pid;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/socket", dir);
    snprintf(address, sizeof(address), "unix:%s", path);
    assert_ok((l = listener_open(loop, address, 0620, NULL, on_accept, &a, e)));
    assert_string_equal(listener_address(l), address);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0620);

    struct stream *s = connect_to(address, 0);
    await(&a, 1);
    assert_string_equal(stream_peer(a.streams[0]), "unix");
    assert_string_equal(stream_peer_text(a.streams[0]), address);
    assert_true(stream_peer_is_loopback(a.streams[0]));
    assert_true(stream_peer_credentials(a.streams[0], &uid, &gid, &pid));
    assert_int_equal(uid, getuid());
    assert_int_equal(pid, getpid());
    stream_close(s);
    close_all(&a);

    /* Somebody answers: not replaced. */
    assert_null(listener_open(loop, address, 0600, NULL, on_accept, &a, &error));
    assert_non_null(strstr(error.text, "another program answers"));
    listener_close(l);
    assert_int_equal(stat(path, &st), -1);

    /* What a killed server leaves behind is replaced; another file is not. */
    struct socket_address old;
    assert_ok(socket_address_parse(&old, str_from_c(address), 0, e));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&old.storage, old.length), 0);
    close(fd);
    assert_ok((l = listener_open(loop, address, 0600, NULL, on_accept, &a, e)));

    /* A file that replaced ours stays at close. */
    unlink(path);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    listener_close(l);
    assert_null(listener_open(loop, address, 0600, NULL, on_accept, &a, &error));
    assert_non_null(strstr(error.text, "not a socket"));
    unlink(path);
    rmdir(dir);

    assert_null(listener_open(loop, "unix:/nonexistent/socket", 0600, NULL, on_accept, &a, &error));
    assert_non_null(strstr(error.text, "/nonexistent/socket"));
}

/* The folder is the user's whose rights root takes on: a link in the place of the file leads
 * nowhere. */
static void links_are_not_followed(void)
{
    char dir[] = "/tmp/maild-test-XXXXXX", path[64], address[80], other[64];
    struct listen_sockets s;
    struct err error = {0};
    struct stat st;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/socket", dir);
    snprintf(other, sizeof(other), "%s/other", dir);
    snprintf(address, sizeof(address), "unix:%s", path);
    close(open(other, O_CREAT | O_WRONLY, 0600));
    assert_ok(listen_sockets_open(&s, address, 0600, NULL, e));
    assert_ok(listen_sockets_give(&s, getuid(), getgid(), e));
    assert_ok(listen_sockets_set_mode(&s, 0666, e));
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0666);
    unlink(path);
    assert_int_equal(symlink(other, path), 0);
    assert_false(listen_sockets_set_mode(&s, 0666, &error));
    assert_false(listen_sockets_give(&s, getuid(), getgid(), &error));
    assert_non_null(strstr(error.text, path));
    unlink(path);
    assert_int_equal(link(other, path), 0); /* nor another file */
    assert_false(listen_sockets_set_mode(&s, 0666, &error));
    assert_int_equal(stat(other, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    listen_sockets_close(&s);
    assert_int_equal(unlink(path) + unlink(other) + rmdir(dir), 0);
}

static void test_links_are_not_followed(void **state)
{
    (void)state;
    in_loop(links_are_not_followed);
}

static void test_unix_sockets(void **state)
{
    (void)state;
    in_loop(unix_sockets);
}

/* No descriptors left: the listener pauses and goes on when there are some again. */
static void no_descriptors(void)
{
    struct accepted a = {0};
    struct listener *l;
    struct rlimit limit, low;
    assert_ok((l = listener_open(loop, "127.0.0.1:0", 0, NULL, on_accept, &a, e)));
    struct socket_address target;
    assert_ok(socket_address_parse(&target, STR("127.0.0.1"), port_of(l), e));
    int client = socket(AF_INET, SOCK_STREAM, 0), fillers[64], n = 0;
    getrlimit(RLIMIT_NOFILE, &limit);
    low = limit;
    low.rlim_cur = (rlim_t)client + 1;
    setrlimit(RLIMIT_NOFILE, &low);
    while (n < 64 && (fillers[n] = dup(0)) >= 0)
        n++;
    assert_int_equal(connect(client, (struct sockaddr *)&target.storage, target.length), 0);
    fiber_sleep(50 * USEC_MSEC, NULL);
    assert_int_equal(a.n, 0);
    setrlimit(RLIMIT_NOFILE, &limit);
    while (n > 0)
        close(fillers[--n]);
    await(&a, 1);
    close(client);
    close_all(&a);
    listener_close(l);
}

static void test_no_descriptors(void **state)
{
    (void)state;
    in_loop(no_descriptors);
}

static void many_and_close(void)
{
    struct accepted a = {0}, b = {0};
    struct listener *l;
    struct stream *clients[200];
    assert_ok((l = listener_open(loop, "localhost:0", 0, NULL, on_accept, &a, e)));
    uint16_t port = port_of(l);
    for (int i = 0; i < 200; i++)
        clients[i] = connect_to(i % 2 ? "127.0.0.1" : "::1", port);
    await(&a, 200);
    for (int i = 0; i < 200; i++)
        stream_close(clients[i]);
    close_all(&a);
    listener_close(l);

    /* Closed by what it called. */
    assert_ok((l = listener_open(loop, "127.0.0.1:0", 0, NULL, on_accept, &b, e)));
    b.close = l;
    struct stream *s = connect_to("127.0.0.1", port_of(l));
    await(&b, 1);
    let_run();
    stream_close(s);
    close_all(&b);
}

static void test_many_and_close(void **state)
{
    (void)state;
    in_loop(many_and_close);
}

/* --- beside others that will go --- */

static struct listener *prepare(const char *host, uint16_t port, struct listener *other,
                                struct accepted *a)
{
    char address[64];
    struct listener *l;
    struct listen_sockets *list[] = {listener_all_sockets(other)};
    struct listen_sockets_others others = {.list = list, .count = 1};
    snprintf(address, sizeof(address), "%s:%u", host, port);
    assert_ok((l = listener_prepare(loop, address, 0, NULL, &others, on_accept, a, e)));
    return l;
}

/* Who connected before the change and was not accepted yet is accepted, whether the new listener
 * has the same address, one that overlaps, or another. */
static void beside(const char *before, const char *after, bool same_port)
{
    char address[64];
    struct accepted old_ones = {0}, new_ones = {0};
    struct listener *old, *new;
    struct stream *early, *late;
    snprintf(address, sizeof(address), "%s:0", before);
    assert_ok((old = listener_open(loop, address, 0, NULL, on_accept, &old_ones, e)));
    uint16_t port = port_of(old);
    new = prepare(after, same_port ? port : 0, old, &new_ones);
    assert_ok((early = stream_connect(loop, "127.0.0.1", port, NULL, deadline_in(USEC_SEC), e)));
    size_t accepted = old_ones.n; /* connecting let the loop turn */
    listener_finish(old);
    listener_begin(new);
    late = connect_to("127.0.0.1", port_of(new));
    usec deadline = deadline_in(5 * USEC_SEC);
    while (old_ones.n + new_ones.n < 2 && clock_monotonic() < deadline)
        fiber_yield();
    assert_int_equal(old_ones.n + new_ones.n, 2);
    assert_true(old_ones.n >= accepted);
    stream_close(early);
    stream_close(late);
    close_all(&old_ones);
    close_all(&new_ones);
    listener_close(new);
}

static void other_addresses(void)
{
    beside("*", "127.0.0.1", true);
    beside("127.0.0.1", "*", true);
    beside("127.0.0.1", "localhost", true);
    beside("localhost", "127.0.0.1", true);
    beside("127.0.0.1", "127.0.0.1", true);
    beside("127.0.0.1", "127.0.0.1", false);
}

static void test_other_addresses(void **state)
{
    (void)state;
    in_loop(other_addresses);
}

/* A plan that is dropped leaves the old one as it was; nobody else may share its port. */
static void dropped_plan(void)
{
    struct accepted old_ones = {0}, new_ones = {0};
    struct listener *old, *new;
    struct err why;
    assert_ok((old = listener_open(loop, "127.0.0.1:0", 0, NULL, on_accept, &old_ones, e)));
    uint16_t port = port_of(old);
    for (int i = 0; i < 2; i++) {
        new = prepare(i ? "127.0.0.1" : "*", port, old, &new_ones);
        listener_close(new);
    }
    struct accepted other = {0};
    char text[64];
    snprintf(text, sizeof(text), "*:%u", port);
    assert_null(listener_open(loop, text, 0, NULL, on_accept, &other, &why));
    struct stream *s = connect_to("127.0.0.1", port);
    await(&old_ones, 1);
    assert_int_equal(new_ones.n, 0);
    stream_close(s);
    close_all(&old_ones);
    listener_close(old);
}

static void test_dropped_plan(void **state)
{
    (void)state;
    in_loop(dropped_plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_unix_sockets),
        cmocka_unit_test(test_links_are_not_followed),
        cmocka_unit_test(test_many_and_close),
        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_other_addresses),
        cmocka_unit_test(test_dropped_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
