/*
 * A new process takes the place of this one: `mailctl upgrade` gets the listening sockets, this
 * server ends, and the new one finds in them whoever has called meanwhile.
 *
 * Root and the server's own user may do this, the admin group may not: who has the sockets can
 * answer in the server's name.
 */
#include "core/log.h"
#include "ctl/ctl.h"
#include "ctl/ctl_call.h"
#include "net/pass_sockets.h"

#include <sys/types.h>
#include <unistd.h>

static SUSPENDS bool hand_over(struct ctl_call *call, const json_t *args, json_t **result,
                               struct err *e)
{
    const struct ctl_context *c = call->context;
    int fds[PASS_SOCKETS_MAX];
    uid_t uid;
    gid_t gid;
    pid_t pid;
    (void)args;
    if (!stream_peer_credentials(call->stream, &uid, &gid, &pid) || (uid != 0 && uid != geteuid()))
        return err_set(e, ERR_DENIED, "only root and the user of maild may do this");
    size_t count = c->sockets(c->arg, fds, PASS_SOCKETS_MAX);
    if (!stream_pass_sockets(call->stream, STR("{\"item\":\"sockets\"}"), fds, count, e))
        return false;
    log_info("ctl", NULL, "sockets handed over count=%zu process=%d uid=%u", count, (int)pid,
             (unsigned)uid);
    *result = json_pack("{s:I, s:I}", "pid", (json_int_t)getpid(), "sockets", (json_int_t)count);
    c->leave(c->arg);
    return true;
}

const struct ctl_stream_verb ctl_hand_over_verbs[] = {{"hand over", CTL_ADMIN, hand_over}, {0}};
