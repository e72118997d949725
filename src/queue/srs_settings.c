/*
 * The block `srs`, and the secrets: a file that is made at the first start. Its first line signs,
 * all lines verify, so that a new secret in front does not make addresses invalid that are on their
 * way.
 */
#include "core/disk.h"
#include "core/mem.h"
#include "core/random.h"
#include "core/worker.h"
#include "mime/address.h"
#include "queue/queue_internal.h"
#include "queue/srs_queue.h"

#include <stddef.h>
#include <stdlib.h>

#define FIELD(name)      offsetof(struct srs_settings, name)
#define DAY              (86400 * USEC_SEC)
#define SECRET_SIZE      32
#define SECRETS_FILE_MAX ((size_t)64 * 1024)

static const struct setting srs_setting_table[] = {
    {"enabled", SETTING_BOOL, FIELD(enabled), "yes", 0, 0, NULL,
     "Mail from elsewhere that an address here sends on to another server gets an envelope sender "
     "of this server, so that the other server does not take it for forged (SPF). Reports find "
     "their way back."},
    {"domain", SETTING_STRING, FIELD(domain), "", 0, 0, NULL,
     "Domain of such senders; its mail must come here. Empty: that of the address that forwards."},
    {"validity", SETTING_DURATION, FIELD(validity), "21d", DAY, SRS_VALIDITY_MAX *DAY, NULL,
     "How long reports to such an address are taken."},
    {0},
};

static bool check_srs(const void *values, struct err *e)
{
    const struct srs_settings *s = values;
    return !*s->domain || domain_is_valid(str_from_c(s->domain), false) ||
           err_set(e, ERR_SYNTAX, "domain: \"%.80s\" is no domain", s->domain);
}

const struct settings_block srs_settings_block = {
    .name = "srs",
    .help = "Senders of mail that is forwarded (sender rewriting scheme).",
    .size = sizeof(struct srs_settings),
    .settings = srs_setting_table,
    .check = check_srs,
};

/* --- the file of secrets --- */

struct srs_keys {
    char *path;
    struct arena *arena;
    struct srs_secrets secrets;
};

static void add_secret(struct buf *text)
{
    char bytes[SECRET_SIZE];
    random_bytes(bytes, sizeof(bytes));
    buf_add_base64(text, str_from(bytes, sizeof(bytes)));
    buf_add_char(text, '\n');
    explicit_bzero(bytes, sizeof(bytes));
}

/* Not what a damaged disk left: with zeros for a secret everybody could make our addresses. */
static bool is_text(struct str line)
{
    for (size_t i = 0; i < line.n; i++)
        if ((unsigned char)line.p[i] < ' ' && line.p[i] != '\t')
            return false;
    return true;
}

static bool parse(const char *path, struct str text, struct arena *a, struct srs_secrets *s,
                  struct err *e)
{
    struct str *list = arena_array(a, SRS_SECRETS_MAX, sizeof(*list));
    *s = (struct srs_secrets){.list = list};
    while (text.n > 0 && s->count < SRS_SECRETS_MAX) {
        struct str line = str_trim(str_split(&text, '\n'));
        if (!is_text(line))
            return err_set(e, ERR_PERM, "%s is damaged: restore or remove it", path);
        if (line.n > 0 && line.p[0] != '#')
            list[s->count++] = arena_str(a, line);
    }
    return s->count > 0 || err_set(e, ERR_PERM, "%s has no secret: restore or remove it", path);
}

/* Makes it when it is missing. */
static bool read_or_make(const char *path, struct buf *text, struct err *e)
{
    if (disk_read_file(path, SECRETS_FILE_MAX, text, e))
        return true;
    if (e->kind != ERR_NOT_FOUND)
        return false;
    add_secret(text);
    return disk_replace_file(path, buf_str(text), 0600, e);
}

bool queue_load_srs(struct queue *q, const char *path, struct err *e)
{
    struct buf text = BUF_EMPTY;
    struct srs_keys *k = MEM_NEW(struct srs_keys);
    k->path = mem_dup(path, strlen(path));
    k->arena = arena_new();
    q->srs = k;
    bool ok = read_or_make(path, &text, e) && parse(path, buf_str(&text), k->arena, &k->secrets, e);
    buf_free(&text);
    return ok;
}

void srs_keys_free(struct srs_keys *k)
{
    if (!k)
        return;
    arena_free(k->arena);
    free(k->path);
    free(k);
}

struct rotation {
    const char *path;
    struct buf text;
    bool ok;
    struct err error;
};

static void rotate(void *arg)
{
    struct rotation *r = arg;
    add_secret(&r->text);
    r->ok = disk_read_file(r->path, SECRETS_FILE_MAX, &r->text, &r->error) &&
            disk_replace_file(r->path, buf_str(&r->text), 0600, &r->error);
}

SUSPENDS bool queue_rotate_srs(struct queue *q, size_t *verify, struct err *e)
{
    struct srs_keys *k = q->srs;
    if (!k)
        return err_set(e, ERR_NOT_FOUND, "there are no secrets");
    struct rotation r = {.path = k->path};
    struct arena *a = arena_new();
    struct srs_secrets secrets;
    worker_run(WORKER_DISK, rotate, &r);
    if (!r.ok)
        *e = r.error;
    bool ok = r.ok && parse(k->path, buf_str(&r.text), a, &secrets, e);
    if (ok) {
        struct arena *old = k->arena;
        k->arena = a;
        k->secrets = secrets;
        *verify = secrets.count;
        a = old;
    }
    arena_free(a);
    buf_free(&r.text);
    return ok;
}

/* --- what the queue asks --- */

static const struct srs_settings *settings_of(const struct queue *q)
{
    const struct queue_rules *rules = q->config->rules;
    return q->srs && rules && rules->srs->enabled ? rules->srs : NULL;
}

struct str queue_srs_forward(const struct queue *q, struct str sender, struct str forwarder,
                             struct arena *a)
{
    const struct srs_settings *s = settings_of(q);
    if (!s || sender.n == 0)
        return STR("");
    struct str domain = *s->domain ? str_from_c(s->domain) : forwarder;
    return srs_forward(&q->srs->secrets, sender, domain, clock_wall(), a);
}

static bool has_domain(void *arg, struct str domain)
{
    const struct queue *q = arg;
    const struct queue_rules *rules = q->config->rules;
    return q->srs && rules && *rules->srs->domain &&
           str_equal_nocase(domain, str_from_c(rules->srs->domain));
}

static enum srs_answer reverse(void *arg, struct str local, struct arena *a, struct str *sender)
{
    const struct queue *q = arg;
    const struct queue_rules *rules = q->config->rules;
    if (!q->srs || !rules)
        return SRS_NONE;
    return srs_reverse(&q->srs->secrets, local, clock_wall(),
                       (unsigned)(rules->srs->validity / DAY), a, sender);
}

void queue_srs_lead_back(struct queue *q)
{
    router_set_senders(q->context.router, &(struct router_senders){q, has_domain, reverse});
}
