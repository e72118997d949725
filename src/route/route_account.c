/*
 * What follows from an account.
 *
 * It takes mail into its mailbox, sends it on to other addresses, or both (keep_copy); one of its
 * own addresses among its forwards means the mailbox as well, also with something behind the
 * separator or in an alias domain. Forwards are asked in turn as the destinations of an address
 * are. An account that takes no mail just now waits as a whole, with its forwards; one that takes
 * none at all has none. The mailbox may be on another server of ours (mail_host): then the mail is
 * sent there.
 */
#include "net/host_port.h"
#include "route/route_internal.h"

/* Without its port. */
static bool take_host(struct str mail_host, struct str *host)
{
    uint16_t port = 0;
    return host_port_parse(mail_host, host, &port) && str_find_char(*host, ' ') < 0;
}

bool route_is_elsewhere(const struct router *r, const struct account *account)
{
    struct str host;
    return account->mail_host.n > 0 && !(take_host(account->mail_host, &host) &&
                                         str_equal_nocase(host, str_from_c(r->context.hostname)));
}

static enum step add_mailbox(struct expansion *x, const struct place *p,
                             const struct account *account)
{
    struct route_target target = {.kind = TARGET_MAILBOX,
                                  .account = *account,
                                  .address = account->login,
                                  .detail = p->leg.detail};
    struct str host;
    if (route_is_elsewhere(x->router, account)) {
        target.kind = TARGET_HOST;
        if (!take_host(account->mail_host, &host)) {
            err_set(&x->error, ERR_TEMP, "%.*s: \"%.*s\" is no name of a server",
                    STR_ARG(account->login), STR_ARG(str_head(account->mail_host, 100)));
            return STEP_LATER;
        }
    }
    return route_add_target(x, &target);
}

static bool is_own(const struct account *account, struct str key, struct str address)
{
    bool own = str_equal_nocase(address, account->login) || str_equal_nocase(address, key);
    for (size_t i = 0; i < account->address_count && !own; i++)
        own = str_equal_nocase(address, account->addresses[i]);
    return own;
}

SUSPENDS static enum step expand_forwards(struct expansion *x, const struct place *p,
                                          const struct account *account)
{
    bool keep = account->keep_copy;
    enum step step = STEP_DONE;
    struct leg next = route_next_leg(p);
    if (!address_set_add(&x->opened, account->login))
        return route_leads_back(x);
    next.forwarded_by = account->login;
    for (size_t i = 0; i < account->forward_count && step == STEP_DONE; i++) {
        if (is_own(account, p->key, account->forwards[i]))
            keep = true;
        else
            step = route_expand_text(x, account->forwards[i], &next);
    }
    return keep && step == STEP_DONE ? add_mailbox(x, p, account) : step;
}

/* It waits in the queue, to be asked again from here on. */
static enum step add_waiting(struct expansion *x, const struct place *p,
                             const struct account *account)
{
    const struct route_target target = {.kind = TARGET_WAITING,
                                        .account = *account,
                                        .address = account->login,
                                        .detail = p->leg.detail};
    size_t before = x->count;
    enum step step = route_add_target(x, &target);
    x->waiting += x->count - before;
    return step;
}

/* For the trace. */
static void note_account(struct expansion *x, const struct place *p, const struct account *account)
{
    struct str login = account->login;
    if (account->mail != ACCOUNT_MAIL_ACCEPT)
        route_note(x, p, "account", true, "%.*s, which %s", STR_ARG(login),
                   account->mail == ACCOUNT_MAIL_REFUSE ? "is disabled" : "takes no mail just now");
    else if (account->forward_count == 0)
        route_note(x, p, "account", true, "%.*s%s%.*s", STR_ARG(login),
                   account->mail_host.n > 0 ? ", mail host " : "", STR_ARG(account->mail_host));
    else
        route_note(x, p, "account", true, "%.*s, %zu forward%s%s", STR_ARG(login),
                   account->forward_count, account->forward_count == 1 ? "" : "s",
                   account->keep_copy ? ", keeps a copy" : "");
}

SUSPENDS enum step route_expand_account(struct expansion *x, const struct place *p, bool mailbox)
{
    struct account account;
    switch (directory_find_account(x->router->context.directory, p->key, x->arena, &account,
                                   &x->error)) {
    case LOOKUP_TEMPFAIL:
        return STEP_LATER;
    case LOOKUP_NOT_FOUND:
        route_note(x, p, "account", false, "none");
        return STEP_NONE;
    case LOOKUP_FOUND:
        break;
    }
    note_account(x, p, &account);
    switch (account.mail) {
    case ACCOUNT_MAIL_REFUSE:
        return route_leads_nowhere(x, &p->leg, p->key, "5.2.1", "mailbox disabled");
    case ACCOUNT_MAIL_DEFER:
        return add_waiting(x, p, &account);
    case ACCOUNT_MAIL_ACCEPT:
        break;
    }
    bool returns = str_equal(p->leg.forwarded_by, account.login);
    if (mailbox || returns || account.forward_count == 0)
        return add_mailbox(x, p, &account);
    return expand_forwards(x, p, &account);
}

SUSPENDS enum step route_ask_account(struct expansion *x, const struct place *p)
{
    return route_expand_account(x, p, false);
}
