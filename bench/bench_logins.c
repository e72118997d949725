/*
 * Logins, over and over, on connections that stay: with LDAP the binds themselves, written to the
 * socket here ("bind"), or with libldap and the question who one is by now, as ldapwhoami does them
 * ("whoami"); with IMAP the LOGIN of a server that asks the directory (and UNAUTHENTICATE,
 * RFC 8437, after each). One thread for a connection.
 *
 *   bench_logins bind|whoami PORT CONNECTIONS SECONDS USERS    uid=user001,ou=people,dc=example,...
 *   bench_logins imap PORT CONNECTIONS SECONDS USERS    user001@example.test ...; sesame-user001
 *
 * Prints the logins of a second. A login that fails ends the program.
 */
#include <arpa/inet.h>
#include <ldap.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { RECEIVE = 4096, TEXT = 512 };

struct test {
    void *(*run)(void *test);
    int port, users;
    double seconds, begin;
    atomic_int next;
    atomic_long done;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what, const char *text)
{
    fprintf(stderr, "bench_logins: %s %s\n", what, text);
    exit(1);
}

static int dial(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        fail("connect", "");
    return fd;
}

static void send_all(int fd, const void *data, size_t n)
{
    if (write(fd, data, n) != (ssize_t)n)
        fail("write", "");
}

/* Until the text ends with a line that begins with `start`. */
static void expect_line(int fd, const char *start)
{
    char buffer[RECEIVE + 1];
    size_t n = 0;
    for (;;) {
        ssize_t got = read(fd, buffer + n, RECEIVE - n);
        if (got <= 0)
            fail("the connection ended before", start);
        n += (size_t)got;
        buffer[n] = '\0';
        if (buffer[n - 1] != '\n')
            continue;
        buffer[n - 1] = '\0';
        char *line = strrchr(buffer, '\n');
        line = line ? line + 1 : buffer;
        if (strncmp(line, start, strlen(start)) == 0)
            return;
        if (line[0] != '*')
            fail("answered:", line);
        buffer[n - 1] = '\n';
    }
}

static void login_imap(int fd, int user)
{
    char text[TEXT];
    int n = snprintf(text, sizeof(text), "a LOGIN user%03d@example.test sesame-user%03d\r\n", user,
                     user);
    send_all(fd, text, (size_t)n);
    expect_line(fd, "a OK");
    send_all(fd, "b UNAUTHENTICATE\r\n", 18);
    expect_line(fd, "b OK");
}

/* RFC 4511 4.2: all lengths are below 128 here. */
static void bind_ldap(int fd, int user, unsigned id)
{
    char dn[80], password[40];
    int dn_size = snprintf(dn, sizeof(dn), "uid=user%03d,ou=people,dc=example,dc=test", user);
    int password_size = snprintf(password, sizeof(password), "sesame-user%03d", user);
    unsigned char head[] = {
        0x30, 0, 0x02, 2,    (unsigned char)(id >> 8 & 0x7f), (unsigned char)id, 0x60, 0,
        0x02, 1, 3,    0x04, (unsigned char)dn_size};
    unsigned char middle[] = {0x80, (unsigned char)password_size};
    head[7] = (unsigned char)(3 + 2 + dn_size + 2 + password_size);
    head[1] = (unsigned char)(head[7] + 6);
    unsigned char all[TEXT], *p = all;
    p = (unsigned char *)memcpy(p, head, sizeof(head)) + sizeof(head);
    p = (unsigned char *)memcpy(p, dn, (size_t)dn_size) + dn_size;
    p = (unsigned char *)memcpy(p, middle, sizeof(middle)) + sizeof(middle);
    p = (unsigned char *)memcpy(p, password, (size_t)password_size) + password_size;
    send_all(fd, all, (size_t)(p - all));
    unsigned char answer[RECEIVE];
    size_t n = 0;
    while (n < 2 || n < 2 + (size_t)answer[1]) {
        ssize_t got = read(fd, answer + n, sizeof(answer) - n);
        if (got <= 0)
            fail("the connection ended", "");
        n += (size_t)got;
    }
    size_t at = 4 + answer[3] + 2; /* behind the id and the head of the response: the result */
    if (answer[at + 2] != 0)
        fail("the bind was refused:", dn);
}

static bool next_user(struct test *t, int *user)
{
    if (now() - t->begin >= t->seconds)
        return false;
    *user = 1 + atomic_fetch_add(&t->next, 1) % t->users;
    return true;
}

static void *run_imap(void *arg)
{
    struct test *t = arg;
    int fd = dial(t->port), user;
    expect_line(fd, "* OK");
    for (; next_user(t, &user); atomic_fetch_add(&t->done, 1))
        login_imap(fd, user);
    close(fd);
    return NULL;
}

static void *run_bind(void *arg)
{
    struct test *t = arg;
    int fd = dial(t->port), user;
    for (unsigned id = 256; next_user(t, &user); id = id == 0x7fff ? 256 : id + 1) {
        bind_ldap(fd, user, id);
        atomic_fetch_add(&t->done, 1);
    }
    close(fd);
    return NULL;
}

static void login_whoami(LDAP *ld, int user)
{
    char dn[80], text[40];
    struct berval *name = NULL, password = {0, text};
    snprintf(dn, sizeof(dn), "uid=user%03d,ou=people,dc=example,dc=test", user);
    password.bv_len = (ber_len_t)snprintf(text, sizeof(text), "sesame-user%03d", user);
    if (ldap_sasl_bind_s(ld, dn, LDAP_SASL_SIMPLE, &password, NULL, NULL, NULL) != LDAP_SUCCESS ||
        ldap_whoami_s(ld, &name, NULL, NULL) != LDAP_SUCCESS)
        fail("the login was refused:", dn);
    ber_bvfree(name);
}

static void *run_whoami(void *arg)
{
    struct test *t = arg;
    char uri[60];
    int version = LDAP_VERSION3, user;
    LDAP *ld;
    snprintf(uri, sizeof(uri), "ldap://127.0.0.1:%d", t->port);
    if (ldap_initialize(&ld, uri) != LDAP_SUCCESS)
        fail("no connection to", uri);
    ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
    for (; next_user(t, &user); atomic_fetch_add(&t->done, 1))
        login_whoami(ld, user);
    ldap_unbind_ext_s(ld, NULL, NULL);
    return NULL;
}

static void *(*find_run(const char *name))(void *test)
{
    if (strcmp(name, "imap") == 0)
        return run_imap;
    return strcmp(name, "bind") == 0 ? run_bind : run_whoami;
}

int main(int argc, char **argv)
{
    if (argc != 6)
        fail("usage:", "bench_logins bind|whoami|imap PORT CONNECTIONS SECONDS USERS");
    struct test t = {.run = find_run(argv[1]),
                     .port = atoi(argv[2]),
                     .seconds = atof(argv[4]),
                     .users = atoi(argv[5]),
                     .begin = now()};
    int count = atoi(argv[3]);
    pthread_t *threads = calloc((size_t)count, sizeof(*threads));
    for (int i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, t.run, &t);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    printf("%.1f\n", (double)atomic_load(&t.done) / (now() - t.begin));
    free(threads);
    return 0;
}
