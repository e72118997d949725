/*
 * The directory as the rest of the server sees it: opening, the order of the sources, and names in
 * their one spelling, for which directory_ask.c finds the answer.
 *
 * A look-up that the cache answers allocates nothing but the note in the caller's arena that it
 * has a reference to the answer: names that come in their one spelling already, as nearly all do,
 * are recognized without being parsed (name_normal).
 */
#include "auth/directory_internal.h"

#include "auth/embedded_address.h"
#include "auth/embedded_group_settings.h"
#include "auth/password.h"
#include "core/mem.h"
#include "core/random.h"
#include "core/worker.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define FIELD(name) offsetof(struct directory_settings, name)

static const struct setting settings[] = {
    {"sources", SETTING_STRING_LIST, FIELD(sources), "", 0, 0, NULL,
     "Who is asked for users, addresses and groups, in this order: names of ldap blocks, and "
     "embedded for the directory that is kept with mailctl; the first that knows one has it. "
     "Empty: embedded, then the ldap blocks in the order of the file."},
    {"path", SETTING_PATH, FIELD(path), "", 0, 0, NULL,
     "The database file of the embedded directory; empty: directory.db in the data directory. "
     "Needs a restart."},
    {"default_domain", SETTING_STRING, FIELD(default_domain), "", 0, 0, NULL,
     "The domain of logins that name none; empty: the only domain, if there is just one."},
    {"cache_lifetime", SETTING_DURATION, FIELD(cache_lifetime), "5m", 0, 24 * 3600 * USEC_SEC, NULL,
     "How long answers and right passwords are remembered. Changes made with mailctl take effect "
     "at "
     "once. 0: not at all."},
    {"cache_negative_lifetime", SETTING_DURATION, FIELD(cache_negative_lifetime), "30s", 0,
     24 * 3600 * USEC_SEC, NULL, "How long it is remembered that something does not exist."},
    {"cache_stale", SETTING_DURATION, FIELD(cache_stale), "24h", 0, 30 * 24 * 3600 * USEC_SEC, NULL,
     "While a source fails, mail is taken and delivered by what it said before, when that is not "
     "older than this. Logins wait for the source."},
    {"cache_size", SETTING_SIZE, FIELD(cache_size), "64M", 1 << 20, (int64_t)1 << 36, NULL,
     "Most memory that remembered answers take."},
    {"store_cram_md5", SETTING_BOOL, FIELD(store_cram_md5), "no", 0, 0, NULL,
     "Keep with each password that is set from now on what CRAM-MD5 needs. Whoever gets hold of it "
     "can log in by that mechanism, without knowing the password."},
    {NULL, 0, 0, NULL, 0, 0, NULL, NULL},
};

static bool check_settings(const void *values, struct err *e)
{
    const struct directory_settings *s = values;
    struct arena *a = arena_new();
    struct str domain;
    bool ok = *s->default_domain == '\0' || name_domain(a, str_from_c(s->default_domain), &domain);
    arena_free(a);
    return ok ||
           err_set(e, ERR_SYNTAX, "default_domain: \"%s\" is no domain name", s->default_domain);
}

const struct settings_block directory_settings_block = {
    .name = "directory",
    .help =
        "Users, domains and addresses: the embedded directory, kept with mailctl, and who else is "
        "asked.",
    .size = sizeof(struct directory_settings),
    .settings = settings,
    .check = check_settings,
};

/* --- opening --- */

struct opening {
    struct directory *d;
    bool ok;
    struct err *error;
};

static void make_impossible_hash(void *arg)
{
    struct opening *o = arg;
    struct buf hash = BUF_EMPTY;
    unsigned char random[16];
    char password[2 * sizeof(random) + 1];
    random_bytes(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(password + 2 * i, 3, "%02x", random[i]);
    o->ok = password_hash(str_from_c(password), &hash, o->error);
    if (o->ok)
        o->d->impossible_hash = mem_dup(hash.p, hash.n);
    buf_free(&hash);
}

static bool open_embedded(struct directory *d, const struct directory_settings *s, const char *path,
                          struct err *e)
{
    struct arena *a = arena_new();
    struct str domain = STR("");
    if (*s->default_domain != '\0')
        name_domain(a, str_from_c(s->default_domain), &domain);
    d->embedded = embedded_open(path, arena_c(a, domain), e);
    arena_free(a);
    return d->embedded != NULL;
}

static void forget_order(struct directory *d)
{
    for (size_t i = 0; i < d->order_count; i++)
        free(d->order[i]);
    free((void *)d->order);
}

void directory_set_order(struct directory *d, const struct string_list *names)
{
    forget_order(d);
    d->order_count = names->count;
    d->order = mem_array(names->count, sizeof(*d->order));
    for (size_t i = 0; i < names->count; i++)
        d->order[i] = mem_dup(names->items[i], strlen(names->items[i]));
}

static void open_chain(struct directory *d)
{
    d->chain = directory_chain_new(d);
    d->embedded_source = directory_source_new(d, embedded_source(d->embedded));
    d->embedded_source->users++;
    if (directory_wants_source(d, EMBEDDED_NAME))
        directory_chain_insert(d->chain, 0, d->embedded_source);
}

static void close_chain(struct directory *d)
{
    directory_chain_release(d->chain);
    directory_sources_end(d);
    if (d->embedded_source)
        d->embedded_source->users--;
    directory_source_unref(d->embedded_source);
    for (size_t i = 0; i < d->name_count; i++)
        free(d->names[i]);
    free((void *)d->names);
}

static bool keep_question(const void *value)
{
    (void)value;
    return true;
}

struct directory *directory_open(struct loop *l, const struct directory_settings *s,
                                 const char *path, struct err *e)
{
    (void)l; /* the fiber's own */
    struct directory *d = MEM_NEW(struct directory);
    struct cache_limits limits = {s->cache_lifetime, s->cache_negative_lifetime, s->cache_stale,
                                  (size_t)s->cache_size};
    struct opening o = {.d = d, .error = e};
    d->passwords.store_cram_md5 = s->store_cram_md5;
    directory_set_order(d, &s->sources);
    d->cache = cache_new(&limits);
    d->successes = successes_new(s->cache_lifetime);
    d->asked = lru_new(sizeof(struct question *), QUESTIONS_MAX);
    lru_set_owner(d->asked, keep_question, NULL);
    worker_run(WORKER_AUTH, make_impossible_hash, &o);
    if (o.ok && open_embedded(d, s, path, e)) {
        open_chain(d);
        return d;
    }
    directory_close(d);
    return NULL;
}

void directory_close(struct directory *d)
{
    if (!d)
        return;
    embedded_passwords_close(d);
    app_passwords_close(d);
    assert(lru_count(d->asked) == 0);
    cache_clear(d->cache); /* answers know their sources */
    close_chain(d);
    embedded_close(d->embedded);
    forget_order(d);
    cache_free(d->cache);
    successes_free(d->successes);
    lru_free(d->asked);
    buf_free(&d->key);
    free(d->impossible_hash);
    free(d);
}

void directory_run(struct directory *d, bool change, void (*fn)(struct directory_db *db, void *arg),
                   void *arg)
{
    embedded_run(d->embedded, change, fn, arg);
}

/* --- sources --- */

/* Its place in the settings; without any, all are wanted where they come. */
static ptrdiff_t place_of(const struct directory *d, const char *name)
{
    for (size_t i = 0; i < d->order_count; i++)
        if (strcmp(d->order[i], name) == 0)
            return (ptrdiff_t)i;
    return d->order_count == 0 ? 0 : -1;
}

bool directory_wants_source(const struct directory *d, const char *name)
{
    return place_of(d, name) >= 0;
}

static bool group_stands_alone(void *arg, struct str address)
{
    const struct directory *d = arg;
    return group_table_stands_alone(embedded_tables(d->embedded)->groups, address);
}

void directory_stand_alone(struct directory *d, struct source *s)
{
    s->stands_alone = group_stands_alone;
    s->arg = d;
}

void directory_add_source(struct directory *d, struct source *s)
{
    size_t at = d->chain->count;
    struct directory_source *added = directory_source_new(d, s);
    directory_stand_alone(d, s);
    while (at > 0 && place_of(d, d->chain->list[at - 1]->name) > place_of(d, s->name))
        at--;
    directory_chain_insert(d->chain, at, added);
    directory_source_unref(added);
}

size_t directory_source_count(const struct directory *d)
{
    return d->chain->count;
}

const struct source *directory_source(const struct directory *d, size_t i,
                                      struct directory_source_stats *stats)
{
    *stats = d->chain->list[i]->stats;
    return d->chain->list[i]->source;
}

/* --- names --- */

bool directory_full_name(const struct directory *d, struct str text, struct arena *a,
                         struct str *full)
{
    struct name name;
    if (!name_read(a, text, &name, NULL) ||
        (name.domain.n == 0 && !embedded_usual_domain(d->embedded, &name.domain)))
        return false;
    *full = name_text(a, &name);
    return true;
}

/* The key of an address in any spelling; false: nobody can have it. */
static bool address_key_of(struct directory *d, enum answer_kind kind, struct str address,
                           struct str *key)
{
    struct str full;
    directory_key(d, kind, STR(""));
    if (!name_normal(address, &d->key)) {
        struct arena *a = arena_new();
        bool ok = directory_full_name(d, address, a, &full);
        if (ok)
            directory_key(d, kind, full);
        arena_free(a);
        if (!ok)
            return false;
    }
    *key = buf_str(&d->key);
    return true;
}

/* What no address is - DOMAIN\user, a distinguished name - is a login all the same; letters of
 * ASCII are folded, sources compare the others as they do. */
static bool is_login(struct str login)
{
    for (size_t i = 0; i < login.n; i++)
        if ((unsigned char)login.p[i] < ' ' || login.p[i] == 0x7f)
            return false;
    return login.n > 0 && login.n <= LOGIN_MAX && str_is_utf8(login);
}

static void make_login_key(struct directory *d, struct str login)
{
    struct name name;
    struct arena *a = arena_new();
    struct str normal = arena_lower(a, login);
    if (name_parse(a, login, &name, NULL))
        normal = name.domain.n > 0 ? name_text(a, &name) : name.local;
    directory_key(d, ANSWER_LOGIN, normal);
    arena_free(a);
}

bool directory_login_key(struct directory *d, struct str login, struct str *key)
{
    bool full = str_find_char(login, '@') >= 0;
    directory_key(d, ANSWER_LOGIN, STR(""));
    if (!(full ? name_normal(login, &d->key) : name_normal_local(login, &d->key))) {
        login = str_trim(login);
        if (!is_login(login))
            return false;
        make_login_key(d, login);
    }
    *key = buf_str(&d->key);
    return true;
}

/* --- look-ups --- */

static enum lookup find(struct directory *d, enum answer_kind kind, struct str address,
                        struct arena *a, struct answer **answer, struct err *e)
{
    struct str key;
    if (!address_key_of(d, kind, address, &key))
        return LOOKUP_NOT_FOUND;
    enum lookup status = directory_ask(d, key, answer, e);
    if (status == LOOKUP_FOUND)
        answer_give(*answer, a);
    return status;
}

/* The limits of its domain, where it has none of its own. */
static void fill_quota(const struct directory *d, struct account *account)
{
    ptrdiff_t at = str_find_last_char(account->login, '@');
    const struct domain *domain =
        domain_table_find(embedded_tables(d->embedded)->domains,
                          at < 0 ? STR("") : str_skip(account->login, (size_t)at + 1));
    if (!domain)
        return;
    account->quota_version += domain->quota_version;
    if (account->quota_storage == QUOTA_DEFAULT)
        account->quota_storage = domain->quota_storage;
    if (account->quota_messages == QUOTA_DEFAULT)
        account->quota_messages = domain->quota_messages;
}

struct account directory_account_of(const struct directory *d, const struct answer *answer)
{
    struct account account = answer->found.account;
    fill_quota(d, &account);
    return account;
}

enum lookup directory_find_domain(struct directory *d, struct str name, struct arena *a,
                                  struct domain *domain, struct err *e)
{
    struct str normal;
    (void)e;
    buf_clear(&d->key);
    if (name_normal_domain(name, &d->key))
        normal = buf_str(&d->key);
    else if (!name_domain(a, name, &normal))
        return LOOKUP_NOT_FOUND;
    return embedded_find_domain(d->embedded, normal, a, domain) ? LOOKUP_FOUND : LOOKUP_NOT_FOUND;
}

enum lookup directory_find_domain_or_parent(struct directory *d, struct str name, struct arena *a,
                                            struct domain *domain, struct err *e)
{
    /* Once, not for each parent: a stranger's name may have a hundred labels. */
    if (!str_is_ascii(name) && !name_domain(a, name, &name))
        return LOOKUP_NOT_FOUND;
    enum lookup status = directory_find_domain(d, name, a, domain, e);
    for (ptrdiff_t dot; status == LOOKUP_NOT_FOUND && (dot = str_find_char(name, '.')) >= 0;) {
        name = str_skip(name, (size_t)dot + 1);
        status = directory_find_domain(d, name, a, domain, e);
        if (status == LOOKUP_FOUND && !domain->subdomains)
            status = LOOKUP_NOT_FOUND;
    }
    return status;
}

enum lookup directory_find_login(struct directory *d, struct str login, struct arena *a,
                                 struct account *account, struct err *e)
{
    struct str key;
    struct answer *answer;
    if (!directory_login_key(d, login, &key))
        return LOOKUP_NOT_FOUND;
    enum lookup status = directory_ask(d, key, &answer, e);
    if (status == LOOKUP_FOUND) {
        *account = directory_account_of(d, answer);
        answer_give(answer, a);
    }
    return status;
}

enum lookup directory_find_account(struct directory *d, struct str address, struct arena *a,
                                   struct account *account, struct err *e)
{
    struct answer *answer;
    enum lookup status = find(d, ANSWER_ACCOUNT, address, a, &answer, e);
    if (status == LOOKUP_FOUND)
        *account = directory_account_of(d, answer);
    return status;
}

/* "local@*" in its one spelling. */
static struct str key_of_all(struct directory *d, struct str address, struct arena *a)
{
    struct name name;
    struct str local = str_head(address, address.n - strlen("@" ALL_DOMAINS));
    buf_clear(&d->key);
    if (name_normal_local(local, &d->key)) {
        buf_add_c(&d->key, "@" ALL_DOMAINS);
        return buf_str(&d->key);
    }
    if (!name_parse(a, local, &name, NULL) || name.domain.n > 0)
        name.local = arena_lower(a, local); /* it is that already */
    name.domain = STR(ALL_DOMAINS);
    return name_text(a, &name);
}

static enum lookup find_of_all(struct directory *d, struct str address, struct arena *a,
                               struct directory_address *entry)
{
    return directory_chain_find(d->chain, EMBEDDED_NAME) &&
                   embedded_find_address(d->embedded, key_of_all(d, address, a), a, entry)
               ? LOOKUP_FOUND
               : LOOKUP_NOT_FOUND;
}

/* What is held in memory, when that is asked first; *rest: others may know it. */
static bool find_held(struct directory *d, struct str key, struct arena *a,
                      struct directory_address *entry, bool *rest)
{
    struct directory_source *first = d->chain->count > 0 ? d->chain->list[0] : NULL;
    *rest = true;
    if (!first || first != d->embedded_source)
        return false;
    bool found = embedded_find_address(d->embedded, str_skip(key, 1), a, entry);
    *rest = d->chain->count > 1;
    if (found || !*rest) {
        first->stats.asked++;
        first->stats.found += found;
        d->stats.hits++;
    }
    return found;
}

enum lookup directory_find_entry(struct directory *d, struct str address, struct arena *a,
                                 struct directory_address *entry, struct err *e)
{
    struct str key;
    struct answer *answer;
    bool rest;
    if (str_ends_with_nocase(address, STR("@" ALL_DOMAINS)))
        return find_of_all(d, address, a, entry);
    if (!address_key_of(d, ANSWER_ADDRESS, address, &key))
        return LOOKUP_NOT_FOUND;
    if (find_held(d, key, a, entry, &rest))
        return LOOKUP_FOUND;
    enum lookup status = rest ? directory_ask(d, key, &answer, e) : LOOKUP_NOT_FOUND;
    if (status == LOOKUP_FOUND) {
        *entry = answer->address;
        answer_give(answer, a);
    }
    return status;
}

enum lookup directory_find_address(struct directory *d, struct str address, struct arena *a,
                                   struct str **destinations, size_t *count, struct err *e)
{
    struct directory_address entry;
    enum lookup status = directory_find_entry(d, address, a, &entry, e);
    if (status == LOOKUP_FOUND) {
        *destinations = entry.destinations;
        *count = entry.count;
    }
    return status;
}

void directory_overlay_group(const struct directory *d, struct arena *a,
                             struct directory_group *group)
{
    if (strcmp(group->source, EMBEDDED_NAME) != 0)
        group_table_apply(embedded_tables(d->embedded)->groups, a, group);
}

enum lookup directory_find_group(struct directory *d, struct str address, struct arena *a,
                                 struct directory_group *group, struct err *e)
{
    struct answer *answer;
    enum lookup status = find(d, ANSWER_GROUP, address, a, &answer, e);
    if (status == LOOKUP_FOUND) {
        *group = answer->group;
        directory_overlay_group(d, a, group);
    }
    return status;
}

/* --- the cache --- */

static bool remove_question(void *arg, void *value)
{
    lru_remove(arg, value);
    return true;
}

void directory_detach_questions(struct directory *d)
{
    d->generation++;
    lru_each(d->asked, remove_question, d->asked);
}

void directory_changed(struct directory *d)
{
    directory_detach_questions(d);
    cache_change(d->cache, d->embedded_source);
    successes_clear(d->successes);
}

void directory_forget(struct directory *d)
{
    directory_detach_questions(d);
    cache_clear(d->cache);
    successes_clear(d->successes);
}

void directory_get_stats(const struct directory *d, struct directory_stats *stats)
{
    struct cache_size size = cache_get_size(d->cache);
    *stats = d->stats;
    stats->answers = size.answers;
    stats->missing = size.missing;
    stats->bytes = size.bytes;
    const struct address_table *held = embedded_tables(d->embedded)->addresses;
    stats->addresses = address_table_count(held);
    stats->address_bytes = address_table_get_size(held).bytes;
    stats->address_text = address_table_get_size(held).text;
}
