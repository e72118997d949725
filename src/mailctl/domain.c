/*
 * Domains: the forms of the commands; the running server does the work. Texts and keys in files are
 * read here, with the rights of who asks.
 */
#include "core/disk.h"
#include "ctl/limits.h"
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what is to be changed --- */

/* One of the options that say what a domain is; NULL: none. */
static const char *kind_of(const struct arguments *a, size_t *given)
{
    static const char *const kinds[][2] = {{"--local", "local"},
                                           {"--virtual", "virtual"},
                                           {"--alias-of", "alias"},
                                           {"--relay", "relay"},
                                           {"--sink", "sink"}};
    const char *kind = NULL;
    *given = 0;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (option(a, kinds[i][0])) {
            kind = kinds[i][1];
            ++*given;
        }
    return kind;
}

static void set_text(json_t *args, const char *name, const char *value, const char *none)
{
    if (value)
        json_object_set_new(args, name, json_string(value));
    else if (none)
        json_object_set_new(args, name, json_string(""));
}

static void set_flag(json_t *args, const char *name, const char *yes, const char *no)
{
    if (yes || no)
        json_object_set_new(args, name, json_boolean(yes != NULL));
}

/* The file's text; "-" is standard input. */
static bool set_file(json_t *args, const char *name, const char *path, struct err *e)
{
    struct buf text = BUF_EMPTY;
    bool ok =
        disk_read_file(strcmp(path, "-") == 0 ? "/dev/stdin" : path, ARG_TEXT_BYTES, &text, e);
    json_t *json = ok ? json_stringn(text.p ? text.p : "", text.n) : NULL;
    if (ok && !json)
        ok = err_set(e, ERR_SYNTAX, "%s: no UTF-8", path);
    else if (ok && text.n == 0)
        ok = err_set(e, ERR_SYNTAX, "%s: empty", path);
    if (ok)
        json_object_set_new(args, name, json);
    if (text.n > 0)
        explicit_bzero(text.p, text.n);
    buf_free(&text);
    return ok;
}

static bool take_files(const struct arguments *a, json_t *args, int *status)
{
    struct err e;
    const char *disclaimer = option(a, "--disclaimer"), *key = option(a, "--dkim-key");
    set_text(args, "disclaimer", NULL, option(a, "--no-disclaimer"));
    set_text(args, "dkim_selector", option(a, "--dkim-selector"), option(a, "--no-dkim"));
    set_text(args, "dkim_key", NULL, option(a, "--no-dkim"));
    bool ok = (!disclaimer || set_file(args, "disclaimer", disclaimer, &e)) &&
              (!key || set_file(args, "dkim_key", key, &e));
    if (!ok)
        *status = fail_error(&e);
    return ok;
}

static void take_quota(const struct arguments *a, json_t *args)
{
    const char *none = option(a, "--no-quota") ? "default" : NULL;
    const char *storage = option(a, "--quota"), *messages = option(a, "--quota-messages");
    set_text(args, "quota_storage", storage ? storage : none, NULL);
    set_text(args, "quota_messages", messages ? messages : none, NULL);
}

static bool contradicts(const struct arguments *a)
{
    static const char *const pairs[][2] = {
        {"--verify", "--no-verify"},         {"--subdomains", "--no-subdomains"},
        {"--catch-all", "--no-catch-all"},   {"--copy", "--no-copy"},
        {"--quota", "--no-quota"},           {"--quota-messages", "--no-quota"},
        {"--disclaimer", "--no-disclaimer"}, {"--dkim-key", "--no-dkim"},
        {"--dkim-selector", "--no-dkim"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
        if (option(a, pairs[i][0]) && option(a, pairs[i][1]))
            return fail_usage("%s and %s contradict each other", pairs[i][0], pairs[i][1]);
    return false;
}

/* The options as arguments of the verb; false: something was wrong, which was said. */
static bool take_options(const struct arguments *a, json_t *args, int *status)
{
    size_t kinds;
    const char *kind = kind_of(a, &kinds);
    *status = EXIT_USAGE;
    if (kinds > 1) {
        fail_usage("a domain is one of --local, --virtual, --alias-of, --relay and --sink");
        return false;
    }
    if (contradicts(a))
        return false;
    set_text(args, "kind", kind, NULL);
    set_text(args, "alias_of", option(a, "--alias-of"), NULL);
    set_text(args, "relay", option(a, "--relay"), NULL);
    set_flag(args, "verify", option(a, "--verify"), option(a, "--no-verify"));
    set_flag(args, "subdomains", option(a, "--subdomains"), option(a, "--no-subdomains"));
    set_text(args, "catch_all", option(a, "--catch-all"), option(a, "--no-catch-all"));
    if (option(a, "--copy") || option(a, "--no-copy"))
        json_object_set_new(args, "copies", option_list(a, "--copy"));
    take_quota(a, args);
    return take_files(a, args, status);
}

static int change_domain(struct mailctl *m, const struct arguments *a, const char *verb,
                         const char *what)
{
    int status;
    json_t *args = args_of("name", a->words[0], NULL, NULL);
    if (take_options(a, args, &status))
        return ask_simply(m, verb, args, what, a->words[0]);
    json_decref(args);
    return status;
}

int command_domain_add(struct mailctl *m, const struct arguments *a)
{
    return change_domain(m, a, "domain add", "added");
}

int command_domain_set(struct mailctl *m, const struct arguments *a)
{
    if (a->option_count == 0)
        return fail_usage("nothing to change");
    return change_domain(m, a, "domain set", "changed");
}

/* --- deletion --- */

/* "3 users, 1 group"; the caller frees it. */
static char *contents_text(const json_t *contents)
{
    static const char *const names[][2] = {
        {"users", "user"}, {"addresses", "address"}, {"groups", "group"}, {"rules", "rule"}};
    struct buf b = BUF_EMPTY;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char text[COUNT_TEXT];
        int64_t n = number_of(contents, names[i][0]);
        if (n > 0)
            buf_printf(&b, "%s%s", b.n > 0 ? ", " : "", count_of(text, n, names[i][1]));
    }
    buf_c(&b);
    return b.p;
}

static int tell_deleted(struct mailctl *m, const char *name, json_t *result)
{
    char *contents = contents_text(result);
    if (m->json)
        print_json(result);
    else if (*contents)
        printf("deleted %s with %s; the mail is still on disk\n", name, contents);
    else
        printf("deleted %s\n", name);
    free(contents);
    json_decref(result);
    return EXIT_OK;
}

/* *result: what was deleted, or with ask what would be. */
static int call_delete(struct mailctl *m, const struct arguments *a, bool ask_only, json_t **result)
{
    bool json = m->json;
    *result = NULL;
    m->json = false;
    json_t *args = json_pack("{s:s, s:b, s:b}", "name", a->words[0], "force",
                             option(a, "--force") != NULL, "ask", ask_only);
    int status = ask(m, "domain delete", args, result);
    m->json = json;
    return status;
}

static int confirm_deletion(struct mailctl *m, const struct arguments *a)
{
    json_t *result;
    if (option(a, "--yes"))
        return EXIT_OK;
    int status = call_delete(m, a, true, &result);
    if (status != EXIT_OK)
        return status;
    char *contents = contents_text(result);
    bool sure = confirm(a, "Delete %s with its settings and keys%s%s? The mail stays on disk.",
                        a->words[0], *contents ? " and " : "", contents);
    free(contents);
    json_decref(result);
    return sure ? EXIT_OK : EXIT_FAILED;
}

int command_domain_delete(struct mailctl *m, const struct arguments *a)
{
    json_t *result;
    int status = confirm_deletion(m, a);
    if (status != EXIT_OK)
        return status;
    status = call_delete(m, a, false, &result);
    return result ? tell_deleted(m, a->words[0], result) : status;
}

/* --- lists --- */

/* Where mail for addresses goes that are not listed; the caller frees it. */
static char *others_text(const json_t *d)
{
    const char *kind = text_of(d, "kind");
    struct buf b = BUF_EMPTY;
    if (strcmp(kind, "alias") == 0)
        buf_printf(&b, "as in %s", text_of(d, "alias_of"));
    else if (strcmp(kind, "relay") == 0)
        buf_printf(&b, "%s%s", text_of(d, "relay"),
                   json_is_true(json_object_get(d, "verify")) ? " (asked)" : "");
    else if (strcmp(kind, "sink") == 0)
        buf_add_c(&b, "dropped");
    else
        buf_add_c(&b, *text_of(d, "catch_all") ? text_of(d, "catch_all") : "refused");
    buf_c(&b);
    return b.p;
}

static void add_domain(void *arg, const json_t *d)
{
    struct table *t = arg;
    char *others = others_text(d), *copies = join_texts(d, "copies", " ");
    table_add(t, text_of(d, "name"));
    table_add(t, text_of(d, "kind"));
    table_add(t, others);
    table_add(t, json_is_true(json_object_get(d, "subdomains")) ? "yes" : "");
    table_add(t, copies);
    table_add(t, text_of(d, "dkim_key"));
    free(others);
    free(copies);
}

int command_domain_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {
        "domain", "kind", "other addresses", "subdomains", "copies to", "dkim", NULL};
    struct table *t = table_new(titles);
    (void)a;
    int status = ask_items(m, "domain list", NULL, add_domain, t, NULL);
    table_end(t, status == EXIT_OK && !m->json, "there are no domains");
    return status;
}

static void print_text(const char *title, const char *text)
{
    if (*text)
        printf("%-11s %s\n", title, text);
}

/* "default", "unlimited", or the number. */
static void print_limit(const char *title, int64_t limit, bool is_size)
{
    struct buf b = BUF_EMPTY;
    if (limit == 0)
        buf_add_c(&b, "unlimited");
    else if (is_size)
        add_size(&b, limit);
    else
        buf_printf(&b, "%lld", (long long)limit);
    if (limit >= 0)
        print_text(title, buf_c(&b));
    buf_free(&b);
}

/* Lines after the first one are indented like it. */
static void print_lines(const char *title, const char *text)
{
    struct str rest = str_trim(str_from_c(text)), line;
    for (; rest.n > 0 && (line = str_split(&rest, '\n')).p; title = "")
        printf("%-11s %.*s\n", title, STR_ARG(line));
}

int command_domain_show(struct mailctl *m, const struct arguments *a)
{
    json_t *d = NULL;
    int status = ask(m, "domain show", args_of("name", a->words[0], NULL, NULL), &d);
    if (!d)
        return status;
    char *copies = join_texts(d, "copies", ", ");
    print_text("domain", text_of(d, "name"));
    print_text("kind", text_of(d, "kind"));
    print_text("alias of", text_of(d, "alias_of"));
    print_text("relay", text_of(d, "relay"));
    if (*text_of(d, "relay"))
        print_text("verify", json_is_true(json_object_get(d, "verify")) ? "yes" : "no");
    print_text("subdomains", json_is_true(json_object_get(d, "subdomains")) ? "yes" : "no");
    print_text("catch-all", text_of(d, "catch_all"));
    print_text("copies to", copies);
    print_limit("quota", number_of(d, "quota_storage"), true);
    print_limit("messages", number_of(d, "quota_messages"), false);
    if (*text_of(d, "dkim_key") || *text_of(d, "dkim_selector"))
        printf("%-11s %s, selector %s\n", "dkim",
               *text_of(d, "dkim_key") ? text_of(d, "dkim_key") : "no key",
               *text_of(d, "dkim_selector") ? text_of(d, "dkim_selector") : "missing");
    print_lines("disclaimer", text_of(d, "disclaimer"));
    print_text("source", text_of(d, "source"));
    free(copies);
    json_decref(d);
    return status;
}
