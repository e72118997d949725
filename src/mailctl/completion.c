/*
 * Completion in shells. The script that a shell reads is short and never changes: it asks mailctl,
 * with the words so far, what fits (complete.c), so it knows the commands of the program that is
 * installed.
 */
#include "mailctl/complete.h"
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* bash cuts words at "@", ":" and "=" as well, and replaces only what is behind the last of them:
 * the line is cut anew here, and that much is taken off what is found. */
static const char bash_script[] =
    "# bash completion of mailctl\n"
    "_mailctl()\n"
    "{\n"
    "    local line=${COMP_LINE:0:COMP_POINT} begun keep word help\n"
    "    local -a words\n"
    "    COMPREPLY=()\n"
    "    read -ra words <<< \"$line\"\n"
    "    case $line in *[[:space:]]) words+=('') ;; esac\n"
    "    begun=${words[${#words[@]}-1]}\n"
    "    keep=${begun%\"$2\"}\n"
    "    while IFS=$'\\t' read -r word help; do\n"
    "        case $word in\n"
    "        '') ;;\n"
    "        '<files>') compopt -o filenames\n"
    "            while read -r word; do COMPREPLY+=(\"$word\"); done < <(compgen -f -- \"$begun\") "
    ";;\n"
    "        *) printf -v word %q \"$word\"\n"
    "            COMPREPLY+=(\"${word#\"$keep\"}\") ;;\n"
    "        esac\n"
    "    done < <(\"${words[0]}\" completion words -- \"${words[@]:1}\" 2> /dev/null)\n"
    "}\n"
    "complete -o nosort -F _mailctl mailctl\n";

static const char zsh_script[] =
    "#compdef mailctl\n"
    "# zsh completion of mailctl\n"
    "_mailctl()\n"
    "{\n"
    "    local word help\n"
    "    local -a found shown\n"
    "    while IFS=$'\\t' read -r word help; do\n"
    "        case $word in\n"
    "        '') ;;\n"
    "        '<files>') _files ;;\n"
    "        *) found+=(\"$word\"); shown+=(\"$word${help:+  -- ${help%%[.:;] *}}\") ;;\n"
    "        esac\n"
    "    done < <(\"${words[1]}\" completion words -- \"${(@)words[2,CURRENT]}\" 2> /dev/null)\n"
    "    (( ${#found} )) && compadd -l -d shown -a found\n"
    "}\n"
    "if [ \"${funcstack[1]}\" = _mailctl ]; then _mailctl \"$@\"; else compdef _mailctl mailctl; "
    "fi\n";

int command_completion(struct mailctl *m, const struct arguments *a)
{
    const char *shell = a->words[0];
    if (strcmp(shell, "bash") == 0)
        print_page(m, str_from_c(bash_script));
    else if (strcmp(shell, "zsh") == 0)
        print_page(m, str_from_c(zsh_script));
    else
        return fail_usage("%s: there is completion for bash and zsh", shell);
    return EXIT_OK;
}

/* A tab stands in front of the explanation. */
static void print_words(const struct completing *c)
{
    const json_t *word;
    size_t i;
    json_array_foreach(c->words, i, word)
        printf("%s\t%s\n", text_of(word, "word"), text_of(word, "help"));
    if (c->files)
        printf("<files>\n");
}

int command_completion_words(struct mailctl *m, const struct arguments *a)
{
    struct completing c = {.m = m};
    bool json = m->json;
    complete(&c, a->words, a->count);
    if (json) {
        json_t *all = json_pack("{s:O, s:b}", "words", c.words, "files", c.files);
        print_json(all);
        json_decref(all);
    } else
        print_words(&c);
    json_decref(c.words);
    return EXIT_OK;
}
