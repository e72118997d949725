/*
 * Examples for the help of commands that need more than a sentence.
 */
#include "ctl/mailctl.h"

#include <string.h>

static const struct {
    const char *name, *text;
} examples[] = {
    {"mailbox acl set", "    mailctl mailbox acl set public Sales group=sales@example.org lrswite\n"
                        "    mailctl mailbox acl set public Sales anyone +l\n"
                        "    mailctl mailbox acl set public Sales -- -bob@example.org w\n"},
    {"queue list", "    mailctl queue list --domain example.org --reason greylist\n"
                   "    mailctl queue list --sender '*@shop.example' --age 2h --size 5M\n"
                   "    mailctl queue list --state held --limit 0\n"},
    {"queue retry", "    mailctl queue retry\n"
                    "    mailctl queue retry --reason 'connection refused'\n"},
    {"queue flush", "    mailctl queue flush example.org\n"
                    "    mailctl queue flush 'rule outside'\n"},
    {"queue hold", "    mailctl queue hold --login alice@example.org\n"
                   "    mailctl queue hold --sender '<>' --age -1h\n"},
    {"queue release", "    mailctl queue release --all\n"
                      "    mailctl queue release --state future --sender boss@example.org\n"},
    {"queue requeue", "    mailctl queue requeue --domain moved.example\n"},
    {"queue delete", "    mailctl queue delete --sender '<>' --domain forged.example\n"
                     "    mailctl queue delete --login alice@example.org --yes\n"},
    {"queue pause", "    mailctl queue pause example.org\n"
                    "    mailctl queue pause --route outside\n"
                    "    mailctl queue pause\n"},
    {"queue top", "    mailctl queue top --by reason\n"
                  "    mailctl queue top --by sender --domain example.org\n"},
    {"queue stats", "    mailctl queue stats --week\n"
                    "    mailctl --json queue stats --day\n"},
};

const char *command_examples(const char *name)
{
    for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++)
        if (strcmp(examples[i].name, name) == 0)
            return examples[i].text;
    return NULL;
}
