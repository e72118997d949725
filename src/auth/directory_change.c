/*
 * Changes of domains and addresses, and lists. A change brings its names into the directory's
 * spelling, runs as one transaction on the connection for changes, and drops the cache before it
 * returns: whoever hears of its success sees it at once.
 */
#include "auth/directory_internal.h"

#include "auth/directory_domain.h"
#include "auth/embedded_apply.h"

/* A change with the memory of its names. */
struct order {
    struct directory_change change;
    struct arena *arena;
    bool ok;
    struct err *error;
};

static struct order order_new(bool (*apply)(struct directory_db *db,
                                            const struct directory_change *c, struct err *e),
                              struct err *e)
{
    return (struct order){.change = {.apply = apply}, .arena = arena_new(), .error = e};
}

static void apply_on_worker(struct directory_db *db, void *arg)
{
    struct order *o = arg;
    o->ok = directory_db_change(db, &o->change, o->error);
}

/* Carries it out if its names were right, and frees it. */
static bool order_run(struct directory *d, struct order *o, bool ready)
{
    if (ready) {
        directory_run(d, true, apply_on_worker, o);
        directory_changed(d); /* also after a failure: what is in the file is not known then */
    }
    arena_free(o->arena);
    return ready && o->ok;
}

static bool order_name_domain(struct order *o, struct str text)
{
    if (name_domain(o->arena, text, &o->change.name.domain))
        return true;
    return err_set(o->error, ERR_SYNTAX, "\"%.*s\" is no domain name", STR_ARG(str_head(text, 80)));
}

static bool order_name(struct directory *d, struct order *o, struct str text)
{
    return directory_own_name(d, text, o->arena, &o->change.name, &o->change.text, o->error);
}

static bool order_domain(struct order *o, struct str name, const struct domain_change *change)
{
    o->change.domain = *change;
    return order_name_domain(o, name) &&
           (!change->relay.p ||
            domain_relay_normal(o->arena, change->relay, &o->change.domain.relay, o->error));
}

bool directory_add_domain_as(struct directory *d, struct str name,
                             const struct domain_change *change, struct err *e)
{
    struct order o = order_new(directory_db_add_domain, e);
    return order_run(d, &o, order_domain(&o, name, change));
}

bool directory_add_domain(struct directory *d, struct str name, struct err *e)
{
    return directory_add_domain_as(d, name, &(struct domain_change){.set_kind = false}, e);
}

bool directory_set_domain(struct directory *d, struct str name, const struct domain_change *change,
                          struct err *e)
{
    struct order o = order_new(directory_db_set_domain, e);
    return order_run(d, &o, order_domain(&o, name, change));
}

bool directory_delete_domain(struct directory *d, struct str name, struct err *e)
{
    struct order o = order_new(directory_db_delete_domain, e);
    return order_run(d, &o, order_name_domain(&o, name));
}

bool directory_add_user(struct directory *d, struct str login, struct str password, struct str name,
                        struct err *e)
{
    return directory_add_user_as(d, login, password, &(struct directory_user_change){.name = name},
                                 e);
}

bool directory_delete_user(struct directory *d, struct str login, struct err *e)
{
    struct order o = order_new(directory_db_delete_user, e);
    return order_run(d, &o, order_name(d, &o, login));
}

bool directory_set_disabled(struct directory *d, struct str login, bool disabled, struct err *e)
{
    return directory_change_user(
        d, login, &(struct directory_user_change){.set_disabled = true, .disabled = disabled}, e);
}

bool directory_set_quota(struct directory *d, struct str login, int64_t storage, int64_t messages,
                         struct err *e)
{
    return directory_change_user(d, login,
                                 &(struct directory_user_change){.set_quota = true,
                                                                 .quota_storage = storage,
                                                                 .quota_messages = messages},
                                 e);
}

static bool order_destination(struct order *o, struct str text, struct name *name)
{
    const char *reason;
    return name_destination(o->arena, text, &o->change.destination, name, &reason) ||
           err_set(o->error, ERR_SYNTAX, "\"%.*s\": %s", STR_ARG(str_head(text, 80)), reason);
}

bool directory_add_address(struct directory *d, struct str address, struct str destination,
                           struct err *e)
{
    return directory_add_address_as(d, address, destination, false, e);
}

bool directory_add_address_as(struct directory *d, struct str address, struct str destination,
                              bool internal, struct err *e)
{
    struct order o = order_new(directory_db_add_address, e);
    struct name name;
    o.change.internal = internal;
    bool ready = order_name(d, &o, address) && order_destination(&o, destination, &name);
    if (ready && str_equal(name_text(o.arena, &name), o.change.text))
        ready = err_set(e, ERR_SYNTAX, "the address %.*s cannot be its own destination",
                        STR_ARG(o.change.text));
    return order_run(d, &o, ready);
}

bool directory_set_internal(struct directory *d, struct str address, bool internal, struct err *e)
{
    struct order o = order_new(directory_db_set_internal, e);
    o.change.internal = internal;
    return order_run(d, &o, order_name(d, &o, address));
}

bool directory_delete_address(struct directory *d, struct str address, struct str destination,
                              struct err *e)
{
    struct order o = order_new(directory_db_delete_address, e);
    struct name name;
    bool ready = order_name(d, &o, address) &&
                 (destination.n == 0 || order_destination(&o, destination, &name));
    return order_run(d, &o, ready);
}

/* --- lists --- */

struct listing {
    struct str domain;
    struct arena *arena;
    struct domain *domains;
    struct directory_address *addresses;
    size_t count;
    bool ok;
    struct err *error;
};

static void list_domains(struct directory_db *db, void *arg)
{
    struct listing *l = arg;
    l->ok = directory_db_list_domains(db, l->arena, &l->domains, &l->count, l->error);
}

static void list_addresses(struct directory_db *db, void *arg)
{
    struct listing *l = arg;
    l->ok =
        directory_db_list_addresses(db, l->domain, l->arena, &l->addresses, &l->count, l->error);
}

bool directory_list_domains(struct directory *d, struct arena *a, struct domain **list,
                            size_t *count, struct err *e)
{
    struct listing l = {.arena = a, .error = e};
    directory_run(d, false, list_domains, &l);
    *list = l.domains;
    *count = l.count;
    return l.ok;
}

bool directory_list_addresses(struct directory *d, struct str domain, struct arena *a,
                              struct directory_address **list, size_t *count, struct err *e)
{
    struct listing l = {.domain = STR(""), .arena = a, .error = e};
    if (!directory_known_domain(d, domain, a, &l.domain, e))
        return false;
    directory_run(d, false, list_addresses, &l);
    *list = l.addresses;
    *count = l.count;
    return l.ok;
}
