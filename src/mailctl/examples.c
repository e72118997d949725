/*
 * Examples for the help and the manual page, at least one for each command; tests read them as
 * command lines. A line each, in the order of the help.
 */
#include "mailctl/mailctl.h"

#include <string.h>

static const struct {
    const char *name, *text;
} examples[] = {
    {"init",
     "mailctl init --domain example.org --user alice\n"
     "mailctl init --root demo --domain example.test --port-base 10000 --user alice:secret\n"},
    {"start", "mailctl start\n"
              "mailctl --root demo start\n"},
    {"stop", "mailctl stop\n"},
    {"upgrade", "mailctl upgrade\n"},
    {"status", "mailctl status\n"
               "mailctl status --long\n"
               "mailctl status --json\n"},
    {"stats", "mailctl stats\n"
              "mailctl stats --interval 10 --count 6\n"},
    {"check", "mailctl check\n"
              "mailctl check --queue 500,2000 --certificate 21,7 --ignore paused\n"},
    {"reload", "mailctl reload\n"},
    {"log flush", "mailctl log flush\n"},
    {"log level", "mailctl log level\nmailctl log level debug\n"},
    {"log show", "mailctl log show --level warning --since 2h\n"
                 "mailctl log show alice@example.org --lines 50\n"
                 "mailctl log show --follow --component queue\n"},
    {"report", "mailctl report --yesterday\nmailctl report --day 2026-11-21 --top 25\n"},
    {"config check", "mailctl config check\n"
                     "mailctl config check --config new.conf\n"},
    {"config show", "mailctl config show\n"
                    "mailctl config show --json\n"},
    {"config manual", "mailctl config manual\n"
                      "mailctl config manual --roff > maild.conf.5\n"},
    {"doctor", "mailctl doctor\n"
               "mailctl doctor example.org --problems\n"
               "mailctl doctor --only mx,certificate\n"},
    {"dns records", "mailctl dns records example.org\n"
                    "mailctl dns records example.org --check\n"
                    "mailctl dns records example.org --address 192.0.2.1 --address 2001:db8::1\n"},
    {"user add",
     "mailctl user add alice@example.org --name 'Alice A.'\n"
     "mailctl user add bob@example.org --password-stdin < password.txt\n"
     "mailctl user add carol@example.org --forward carol@elsewhere.example --no-copy\n"},
    {"user set",
     "mailctl user set alice@example.org --forward alice@elsewhere.example --keep-copy\n"
     "mailctl user set bob@example.org --protocols smtp,imap\n"},
    {"user list", "mailctl user list\n"
                  "mailctl user list example.org --json\n"},
    {"user show", "mailctl user show alice@example.org\n"},
    {"user delete", "mailctl user delete alice@example.org\n"
                    "mailctl user delete alice@example.org --yes\n"},
    {"user password", "mailctl user password alice@example.org\n"
                      "mailctl user password alice@example.org --password-stdin < password.txt\n"},
    {"user passwd", "mailctl user passwd alice@example.org\n"},
    {"user app-password add", "mailctl user app-password add alice@example.org phone\n"
                              "mailctl user app-password add alice@example.org scanner --protocols "
                              "smtp --network 192.0.2.0/24 --expires 90d\n"},
    {"user app-password list", "mailctl user app-password list alice@example.org\n"},
    {"user app-password delete", "mailctl user app-password delete alice@example.org phone\n"},
    {"user disable", "mailctl user disable alice@example.org\n"},
    {"user enable", "mailctl user enable alice@example.org\n"},
    {"group add",
     "mailctl group add sales@example.org alice@example.org bob@elsewhere.example --internal\n"
     "mailctl group add news@example.org --public-mailbox News\n"},
    {"group set", "mailctl group set sales@example.org --members-only --send-as\n"
                  "mailctl group set sales@example.org --public\n"},
    {"group list", "mailctl group list\n"
                   "mailctl group list example.org\n"},
    {"group show", "mailctl group show sales@example.org\n"},
    {"group delete", "mailctl group delete sales@example.org\n"},
    {"group member add", "mailctl group member add sales@example.org carol@example.org\n"},
    {"group member delete", "mailctl group member delete sales@example.org carol@example.org\n"},
    {"directory export",
     "mailctl directory export example.org --output example.csv\n"
     "mailctl directory export --format ldif --kind user,group > people.ldif\n"},
    {"directory import", "mailctl directory import example.csv --dry-run\n"
                         "mailctl directory import example.csv\n"
                         "mailctl directory import /etc/aliases --format aliases --domain "
                         "example.org --skip-unsupported\n"},
    {"auth penalties", "mailctl auth penalties\n"},
    {"auth unlock", "mailctl auth unlock alice@example.org\n"
                    "mailctl auth unlock 192.0.2.17\n"
                    "mailctl auth unlock --all\n"},
    {"auth test", "mailctl auth test alice@example.org\n"
                  "mailctl auth test alice@example.org --protocol smtp --address 192.0.2.17\n"},
    {"directory show", "mailctl directory show\n"},
    {"directory lookup", "mailctl directory lookup sales@example.org\n"},
    {"cache show", "mailctl cache show\n"
                   "mailctl cache show alice@example.org\n"},
    {"cache flush", "mailctl cache flush alice@example.org\n"
                    "mailctl cache flush\n"},
    {"domain add", "mailctl domain add example.org --catch-all alice@example.org\n"
                   "mailctl domain add branch.example --relay mail.branch.example:25 --verify\n"
                   "mailctl domain add old.example --alias-of example.org\n"},
    {"domain set", "mailctl domain set example.org --no-catch-all --quota 5G\n"
                   "mailctl domain set example.org --dkim-selector mail --dkim-key dkim.pem\n"},
    {"domain list", "mailctl domain list\n"},
    {"domain show", "mailctl domain show example.org\n"},
    {"domain delete", "mailctl domain delete old.example\n"
                      "mailctl domain delete old.example --force --yes\n"},
    {"address add", "mailctl address add info@example.org alice@example.org bob@elsewhere.example\n"
                    "mailctl address add 'postmaster@*' alice@example.org\n"
                    "mailctl address add noreply@example.org :discard:\n"},
    {"address set", "mailctl address set info@example.org bob@example.org\n"
                    "mailctl address set info@example.org --internal\n"},
    {"address list", "mailctl address list\n"
                     "mailctl address list example.org\n"
                     "mailctl address list '*'\n"},
    {"address explain", "mailctl address explain info@example.org\n"
                        "mailctl address explain info@example.org --from '<>'\n"},
    {"address show", "mailctl address show info@example.org\n"},
    {"address delete", "mailctl address delete info@example.org\n"
                       "mailctl address delete info@example.org bob@elsewhere.example\n"},
    {"address rule add", "mailctl address rule add tickets '^ticket-([0-9]+)@' "
                         "'desk+$1@example.org'\n"},
    {"address rule set", "mailctl address rule set tickets --all-domains\n"
                         "mailctl address rule set tickets helpdesk@example.org\n"},
    {"address rule move", "mailctl address rule move tickets --before lists\n"
                          "mailctl address rule move tickets --last\n"},
    {"address rule list", "mailctl address rule list\n"
                          "mailctl address rule list example.org\n"},
    {"address rule show", "mailctl address rule show tickets\n"},
    {"address rule test", "mailctl address rule test ticket-17@example.org\n"},
    {"address rule delete", "mailctl address rule delete tickets\n"},
    {"send-as add", "mailctl send-as add info@example.org alice@example.org sales@example.org\n"
                    "mailctl send-as add @example.org newsletter@example.org\n"},
    {"send-as delete", "mailctl send-as delete info@example.org alice@example.org\n"
                       "mailctl send-as delete info@example.org\n"},
    {"send-as list", "mailctl send-as list\n"
                     "mailctl send-as list alice@example.org\n"},
    {"send-as test", "mailctl send-as test alice@example.org info@example.org\n"},
    {"verify", "mailctl verify alice@example.org\n"
               "mailctl verify bob@branch.example --probe\n"},
    {"route test",
     "mailctl route test alice@example.org bob@elsewhere.example\n"
     "mailctl route test alice@example.org bob@elsewhere.example --login alice@example.org\n"},
    {"route list", "mailctl route list\n"},
    {"srs rotate", "mailctl srs rotate\n"},
    {"tls policy", "mailctl tls policy elsewhere.example\n"
                   "mailctl tls policy elsewhere.example --refresh\n"},
    {"tls flush", "mailctl tls flush elsewhere.example\n"
                  "mailctl tls flush --all\n"},
    {"tls report", "mailctl tls report\n"
                   "mailctl tls report 2026-01-31 --domain elsewhere.example\n"},
    {"tls send", "mailctl tls send\n"},
    {"sendmail", "mailctl sendmail -t < message.eml\n"
                 "mailctl sendmail -f alice@example.org bob@elsewhere.example < message.eml\n"},
    {"queue list", "mailctl queue list --domain example.org --reason greylist\n"
                   "mailctl queue list --sender '*@shop.example' --age 2h --size 5M\n"
                   "mailctl queue list --state held --limit 0\n"
                   "mailctl queue list --domain example.org --count\n"},
    {"queue show", "mailctl queue show 25wzylbrpgbpp\n"},
    {"queue retry", "mailctl queue retry\n"
                    "mailctl queue retry --reason 'connection refused'\n"},
    {"queue flush", "mailctl queue flush example.org\n"
                    "mailctl queue flush 'rule outside'\n"},
    {"queue hold", "mailctl queue hold --login alice@example.org\n"
                   "mailctl queue hold --sender '<>' --age -1h\n"},
    {"queue release", "mailctl queue release --all\n"
                      "mailctl queue release --state future --sender boss@example.org\n"},
    {"queue requeue", "mailctl queue requeue --domain moved.example\n"},
    {"queue delete", "mailctl queue delete --sender '<>' --domain forged.example\n"
                     "mailctl queue delete --login alice@example.org --yes\n"},
    {"queue pause", "mailctl queue pause example.org\n"
                    "mailctl queue pause --route outside\n"
                    "mailctl queue pause\n"},
    {"queue resume", "mailctl queue resume example.org\n"
                     "mailctl queue resume\n"},
    {"queue top", "mailctl queue top --by reason\n"
                  "mailctl queue top --by sender --domain example.org\n"},
    {"queue stats", "mailctl queue stats --week\n"
                    "mailctl --json queue stats --day\n"},
    {"trace", "mailctl trace 25x01xdpm9phr\n"
              "mailctl trace '<20261122.abc@example.org>'\n"
              "mailctl trace alice@example.org --since 2d\n"
              "mailctl trace alice@example.org --mailbox INBOX --uid 7\n"},
    {"whoami", "mailctl whoami\n"},
    {"who", "mailctl who --user alice --protocol imap\n"
            "mailctl who --peer 192.0.2.0/24 --idle 10m\n"
            "mailctl who --count user\n"},
    {"kick", "mailctl kick 7QXZ2M4KT0\n"
             "mailctl kick --user alice@example.org --yes\n"},
    {"limits", "mailctl limits\n"},
    {"rawlog on", "mailctl rawlog on alice@example.org --minutes 10\n"},
    {"rawlog off", "mailctl rawlog off alice@example.org\n"},
    {"rawlog list", "mailctl rawlog list\n"},
    {"mailbox list", "mailctl mailbox list alice\n"
                     "mailctl mailbox list --all 'Lists/%'\n"},
    {"mailbox status", "mailctl mailbox status alice INBOX\n"
                       "mailctl mailbox status --all\n"},
    {"mailbox create", "mailctl mailbox create alice Lists/dev Lists/users --subscribe\n"
                       "mailctl mailbox create public News\n"},
    {"mailbox delete", "mailctl mailbox delete alice Lists/dev\n"
                       "mailctl mailbox delete alice Lists/dev Lists/users --yes\n"},
    {"mailbox rename", "mailctl mailbox rename alice Lists Mail/Lists\n"},
    {"mailbox subscribe", "mailctl mailbox subscribe alice Lists/dev\n"},
    {"mailbox unsubscribe", "mailctl mailbox unsubscribe alice Lists/dev\n"},
    {"mailbox path", "mailctl mailbox path alice\n"
                     "mailctl mailbox path alice Lists/dev\n"},
    {"mailbox acl list", "mailctl mailbox acl list public News\n"
                         "mailctl mailbox acl list public /\n"},
    {"mailbox acl set", "mailctl mailbox acl set public Sales group=sales@example.org lrswite\n"
                        "mailctl mailbox acl set public Sales anyone +l\n"
                        "mailctl mailbox acl set public Sales -- -bob@example.org w\n"},
    {"mailbox acl delete", "mailctl mailbox acl delete public News anyone\n"
                           "mailctl mailbox acl delete public News -- -bob@example.org\n"},
    {"mailbox undelete", "mailctl mailbox undelete alice --list\n"
                         "mailctl mailbox undelete alice INBOX --since 2h\n"
                         "mailctl mailbox undelete alice INBOX --uid 17,20:25\n"},
    {"mailbox purge", "mailctl mailbox purge alice\n"
                      "mailctl mailbox purge --all --before 3d --yes\n"},
    {"search", "mailctl search alice subject offer\n"
               "mailctl search --all from bob@elsewhere.example since 1-Nov-2026\n"},
    {"fetch", "mailctl fetch alice 'uid flags hdr.subject size' mailbox INBOX unseen\n"
              "mailctl fetch alice text mailbox INBOX uid 17 > message.eml\n"},
    {"expunge", "mailctl expunge alice mailbox Trash before 1-Oct-2026\n"
                "mailctl expunge --all subject 'You have won' --yes\n"},
    {"move", "mailctl move alice Archive/2025 mailbox INBOX before 1-Jan-2026 --create\n"
             "mailctl move alice Old all --to-user bob --create\n"},
    {"copy", "mailctl copy alice Work mailbox INBOX from boss@example.org\n"
             "mailctl copy alice Shared mailbox Lists/dev --to-user bob\n"},
    {"flags add", "mailctl flags add alice '\\Seen $Work' mailbox INBOX from boss@example.org\n"},
    {"flags remove", "mailctl flags remove alice '\\Flagged' mailbox INBOX\n"},
    {"flags set", "mailctl flags set alice '\\Seen' mailbox INBOX uid 1:17\n"},
    {"backup", "mailctl backup alice alice.tar\n"
               "mailctl backup --all - | zstd > mail.tar.zst\n"
               "mailctl backup --all tuesday.tar --since monday.tar\n"},
    {"restore", "mailctl restore alice alice.tar --list\n"
                "mailctl restore alice alice.tar --mailbox Lists --query 'subject offer'\n"
                "mailctl restore --all monday.tar tuesday.tar\n"
                "mailctl restore alice alice.tar --into Restored --to-user bob\n"},
    {"export", "mailctl export alice /tmp/alice\n"
               "mailctl export --all /srv/export --mbox\n"
               "mailctl export alice - INBOX --mbox > inbox.mbox\n"},
    {"import", "mailctl import alice /home/alice/Maildir\n"
               "mailctl import alice old.mbox --mailbox Archive/Old\n"
               "mailctl import alice - --mailbox Imported < inbox.mbox\n"},
    {"policy test", "mailctl policy test --client 192.0.2.17 --helo mail.elsewhere.example --from "
                    "bob@elsewhere.example --to alice@example.org\n"},
    {"policy list", "mailctl policy list\n"},
    {"policy checks", "mailctl policy checks\n"},
    {"policy limits", "mailctl policy limits\n"},
    {"policy greylist list", "mailctl policy greylist list\n"
                             "mailctl policy greylist list elsewhere.example\n"},
    {"policy greylist allow", "mailctl policy greylist allow 192.0.2.0/24\n"},
    {"policy greylist delete", "mailctl policy greylist delete 192.0.2.17\n"
                               "mailctl policy greylist delete bob@elsewhere.example\n"},
    {"quota get", "mailctl quota get\n"
                  "mailctl quota get alice@example.org\n"},
    {"quota set", "mailctl quota set alice@example.org --storage 5G --messages unlimited\n"
                  "mailctl quota set alice@example.org --storage default\n"},
    {"quota recalc", "mailctl quota recalc alice@example.org\n"
                     "mailctl quota recalc --all\n"},
    {"store check", "mailctl store check alice\n"
                    "mailctl store check --all --repair\n"},
    {"store rebuild", "mailctl store rebuild alice INBOX\n"},
    {"store release", "mailctl store release alice INBOX\n"},
    {"store flush", "mailctl store flush\n"},
    {"manual", "mailctl manual | less\n"
               "mailctl manual maild --roff > maild.8\n"},
    {"completion", "mailctl completion bash > /etc/bash_completion.d/mailctl\n"
                   "mailctl completion zsh > /usr/local/share/zsh/site-functions/_mailctl\n"},
    {"completion words", "mailctl completion words -- user sh\n"},
};

const char *command_examples(const char *name)
{
    for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++)
        if (strcmp(examples[i].name, name) == 0)
            return examples[i].text;
    return NULL;
}

bool example_next(struct str *rest, struct str *line)
{
    do
        *line = str_trim(str_split(rest, '\n'));
    while (line->n == 0 && rest->p);
    return line->n > 0;
}
