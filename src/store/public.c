/*
 * The public account: mailboxes that belong to no user. It is an account like others, in the
 * journal, for quotas, backups and the owner of its Maildir, with three differences: nobody can log
 * in as it, since its name is no address; its home begins with a dot, so that no domain can have
 * it; and it has no INBOX, its Maildir only holds the others.
 */
#include "store/public.h"

bool home_is_public(struct str home)
{
    return str_equal(home, STR(PUBLIC_HOME));
}

void public_account_init(struct account *a)
{
    *a = (struct account){.login = STR(PUBLIC_LOGIN),
                          .name = STR("Public mailboxes"),
                          .home = STR(PUBLIC_HOME),
                          .no_login = "public",
                          .keep_copy = true,
                          .mail_host = STR("")};
}

const struct account *store_public_account(const struct store *s)
{
    return &s->public_account;
}

bool account_may_have_home(const struct account *account, struct err *e)
{
    return !home_is_public(account->home) || str_equal(account->login, STR(PUBLIC_LOGIN)) ||
           err_set(e, ERR_PERM, "the home of the public mailboxes is no user's");
}

bool account_has_mailbox(const struct store_account *a, struct str name, struct err *e)
{
    return !a->is_public || !str_equal(name, STR("INBOX")) ||
           err_set(e, ERR_NOT_FOUND, "there is no INBOX among the public mailboxes");
}
