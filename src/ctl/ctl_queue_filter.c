/*
 * From the arguments of a verb to messages of the queue, and who asks.
 */
#include "core/mem.h"
#include "core/worker.h"
#include "ctl/ctl_json.h"
#include "ctl/ctl_queue.h"
#include "net/stream.h"

#include <pwd.h>
#include <stdlib.h>

#define NAME_BUFFER 16384

static bool take_number(const json_t *filter, const char *name, uint64_t most, uint64_t *value,
                        struct err *e)
{
    const json_t *member = json_object_get(filter, name);
    *value = 0;
    if (!member)
        return true;
    json_int_t number = json_integer_value(member);
    if (!json_is_integer(member) || number < 0 || (uint64_t)number > most)
        return err_set(e, ERR_SYNTAX, "%s: a number from 0 to %llu is expected", name,
                       (unsigned long long)most);
    *value = (uint64_t)number;
    return true;
}

static bool take_states(const json_t *filter, unsigned *states, struct err *e)
{
    json_t *member = json_object_get(filter, "states"), *name;
    size_t i;
    if (member && !json_is_array(member))
        return err_set(e, ERR_SYNTAX, "states: a list is expected");
    json_array_foreach(member, i, name)
    {
        const char *text = json_string_value(name);
        unsigned state = queue_state_find(str_from_c(text));
        if (!state)
            return err_set(e, ERR_SYNTAX,
                           "\"%.40s\" is no state: new, deferred, sending, held, future, paused "
                           "and report are",
                           text ? text : "");
        *states |= state;
    }
    return true;
}

bool ctl_queue_filter(const json_t *args, struct queue_filter *f, struct err *e)
{
    const json_t *filter = json_object_get(args, "filter");
    uint64_t age_least, age_most, longest = INT64_MAX / USEC_SEC;
    *f = (struct queue_filter){.states = 0};
    if (!json_is_object(filter))
        return err_set(e, ERR_SYNTAX, "ids or a filter are needed");
    if (!ctl_arg_optional(filter, "sender", &f->sender, e) ||
        !ctl_arg_optional(filter, "recipient", &f->recipient, e) ||
        !ctl_arg_optional(filter, "domain", &f->domain, e) ||
        !ctl_arg_optional(filter, "reason", &f->reason, e) ||
        !ctl_arg_optional(filter, "login", &f->login, e) ||
        !ctl_arg_optional(filter, "route", &f->route, e) ||
        !take_number(filter, "age_least", longest, &age_least, e) ||
        !take_number(filter, "age_most", longest, &age_most, e) ||
        !take_number(filter, "size_least", INT64_MAX, &f->size_least, e) ||
        !take_number(filter, "size_most", INT64_MAX, &f->size_most, e) ||
        !take_states(filter, &f->states, e))
        return false;
    f->age_least = (usec)age_least * USEC_SEC;
    f->age_most = (usec)age_most * USEC_SEC;
    return true;
}

/* --- who asks --- */

struct who_job {
    uid_t uid;
    char name[64];
};

static void find_name(void *arg)
{
    struct who_job *j = arg;
    struct passwd user, *found = NULL;
    char *text = mem_alloc(NAME_BUFFER);
    bool known = getpwuid_r(j->uid, &user, text, NAME_BUFFER, &found) == 0 && found;
    size_t n = known ? strlen(user.pw_name) : 0;
    if (n < sizeof(j->name))
        memcpy(j->name, known ? user.pw_name : "", n);
    free(text);
}

SUSPENDS const char *ctl_queue_who(struct ctl_call *c, struct arena *a)
{
    struct who_job j = {.name = ""};
    gid_t gid;
    pid_t pid;
    if (!stream_peer_credentials(c->stream, &j.uid, &gid, &pid))
        return "unknown";
    worker_run(WORKER_AUTH, find_name, &j);
    /* It stands in lines of the log and of files. */
    if (j.name[0] == '\0' || strpbrk(j.name, " \t\r\n"))
        return arena_printf(a, "uid:%u", (unsigned)j.uid).p;
    return arena_c(a, str_from_c(j.name));
}

/* --- JSON --- */

static json_t *tries_json(const struct queue_recipient_info *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->try_count; i++) {
        json_t *json = json_object();
        json_object_set_new(json, "at", json_integer(r->tries[i].at));
        json_object_set_new(json, "error", ctl_json_str(r->tries[i].error));
        json_object_set_new(json, "code", ctl_json_str(r->tries[i].code));
        json_object_set_new(json, "relay", ctl_json_str(r->tries[i].relay));
        json_array_append_new(list, json);
    }
    return list;
}

json_t *ctl_queue_recipient(const struct queue_recipient_info *r, bool own)
{
    json_t *json = json_object();
    bool other = !str_equal(r->address, r->original), hide = own && other;
    const struct str nothing = STR("");
    json_object_set_new(json, "address", ctl_json_str(hide ? r->original : r->address));
    if (other && !hide)
        json_object_set_new(json, "original", ctl_json_str(r->original));
    json_object_set_new(json, "state", ctl_json_c(r->state));
    json_object_set_new(json, "attempts", json_integer(r->attempts));
    json_object_set_new(json, "next_attempt", json_integer(r->next_attempt));
    json_object_set_new(json, "last_error", ctl_json_str(hide ? nothing : r->last_error));
    json_object_set_new(json, "relay", ctl_json_str(hide ? nothing : r->relay));
    json_object_set_new(json, "notify", ctl_json_str(r->notify));
    json_object_set_new(json, "destination", ctl_json_str(hide ? nothing : r->destination));
    json_object_set_new(json, "why", ctl_json_str(hide ? nothing : r->why));
    json_object_set_new(json, "tries", hide ? json_array() : tries_json(r));
    return json;
}

static json_t *states_json(unsigned states)
{
    json_t *list = json_array();
    const char *name;
    unsigned state;
    for (size_t i = 0; (name = queue_state_name(i, &state)); i++)
        if (states & state)
            json_array_append_new(list, json_string(name));
    return list;
}

json_t *ctl_queue_message(const struct queue_message_info *m, bool own)
{
    json_t *json = json_object(), *recipients = json_array();
    for (size_t i = 0; i < m->recipient_count; i++)
        json_array_append_new(recipients, ctl_queue_recipient(&m->recipients[i], own));
    json_object_set_new(json, "id", ctl_json_c(m->id));
    json_object_set_new(json, "sender", ctl_json_str(m->sender));
    json_object_set_new(json, "login", ctl_json_str(m->login));
    json_object_set_new(json, "component", ctl_json_c(m->component));
    json_object_set_new(json, "states", states_json(m->states));
    json_object_set_new(json, "arrival", json_integer(m->arrival));
    json_object_set_new(json, "expires", json_integer(m->expires));
    json_object_set_new(json, "size", json_integer((json_int_t)m->size));
    json_object_set_new(json, "held_until", json_integer(m->held_until));
    json_object_set_new(json, "options", ctl_json_str(m->options));
    json_object_set_new(json, "recipients_total", json_integer((json_int_t)m->recipients_total));
    json_object_set_new(json, "recipients_left", json_integer((json_int_t)m->recipients_left));
    json_object_set_new(json, "recipients", recipients);
    return json;
}
