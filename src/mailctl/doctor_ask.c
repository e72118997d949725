/*
 * Asking the running server from a fiber, so that one that hangs costs no more than the time limit
 * (client.c waits for as long as it takes).
 */
#include "core/loop.h"
#include "mailctl/doctor.h"
#include "net/stream.h"

#include <stdlib.h>

#define ANSWER_MAX ((size_t)64 * 1024 * 1024)

SUSPENDS static bool send_request(struct stream *s, const char *verb, json_t *args, struct err *e)
{
    json_t *request = json_pack("{s:s, s:o}", "verb", verb, "args", args ? args : json_object());
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    bool ok = text ? stream_printf(s, e, "%s\n", text) && stream_flush(s, e)
                   : err_set(e, ERR_SYNTAX, "an argument is not UTF-8 text");
    free(text);
    return ok;
}

void doctor_limit(struct stream *s, usec deadline)
{
    usec left = deadline - clock_monotonic();
    stream_set_timeout(s, left > USEC_MSEC ? left : USEC_MSEC);
}

SUSPENDS static bool read_answer(struct stream *s, usec deadline, json_t **result, json_t **items,
                                 struct err *e)
{
    struct str line;
    for (;;) {
        json_error_t where;
        doctor_limit(s, deadline);
        if (!stream_read_line(s, ANSWER_MAX, &line, NULL, e))
            return false;
        json_t *json = json_loadb(line.p, line.n, 0, &where);
        if (!json)
            return err_set(e, ERR_SYNTAX, "maild's answer is malformed: %s", where.text);
        json_t *ok = json_object_get(json, "ok"), *item = json_object_get(json, "item");
        if (item && items)
            json_array_append(*items, item);
        if (ok && json_is_true(ok))
            *result = json_incref(json_object_get(json, "result"));
        else if (ok)
            err_set(e, kind_by_name(text_of(json, "kind")), "%s", text_of(json, "error"));
        bool good = json_is_true(ok), last = ok != NULL;
        json_decref(json);
        if (last)
            return good;
    }
}

bool doctor_ask(struct doctor *d, const char *verb, json_t *args, usec deadline, json_t **result,
                json_t **items, struct err *e)
{
    const char *path = server_control_socket(d->mailctl->settings, d->arena);
    struct str address = arena_printf(d->arena, "unix:%s", path);
    *result = NULL;
    if (items)
        *items = json_array();
    struct stream *s = stream_connect(d->loop, address.p, 0, NULL, deadline, e);
    if (!s) {
        json_decref(args);
        return false;
    }
    doctor_limit(s, deadline);
    bool ok = send_request(s, verb, args, e) && read_answer(s, deadline, result, items, e);
    stream_close(s);
    return ok;
}
