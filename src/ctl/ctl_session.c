/*
 * Who is connected.
 */
#include "core/session_list.h"
#include "ctl/ctl.h"
#include "ctl/ctl_json.h"

static bool who(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    (void)args;
    (void)e;
    *result = json_array();
    for (const struct session_entry *s = session_list_first(c->sessions); s; s = s->next) {
        json_t *json = json_object();
        json_object_set_new(json, "component", ctl_json_c(s->kind->component));
        json_object_set_new(json, "id", ctl_json_c(s->id));
        json_object_set_new(json, "peer", ctl_json_c(s->peer));
        json_object_set_new(json, "login", ctl_json_c(s->login));
        json_object_set_new(json, "state", ctl_json_c(s->state));
        json_object_set_new(json, "since", json_integer(s->since / USEC_SEC));
        json_array_append_new(*result, json);
    }
    return true;
}

const struct ctl_verb ctl_session_verbs[] = {{"who", who}, {NULL, NULL}};
