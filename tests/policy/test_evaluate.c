/* What rules come to, as a session meets them. */
#include "policy_test.h"

#include "auth/source.h"

#define STRANGERS "policy { trusted_networks = \"\" }\n"

/* --- the order --- */

IN_FIBER(no_rules)
{
    struct world w;
    (void)arg;
    world_open(&w);
    world_configure(&w, "rule later { check = helo_syntax; at = mail }");
    assert_string_equal(ask_at(&w, POLICY_CONNECT), "pass");
    assert_string_equal(ask_at(&w, POLICY_RCPT), "pass");
    assert_null(w.session); /* nobody was asked, nothing was made */
    assert_false(policy_has_rules(w.policy, NULL, POLICY_RCPT, SERVICE_SMTP));
    assert_true(policy_has_rules(w.policy, NULL, POLICY_MAIL, SERVICE_SMTP));
    assert_false(policy_has_rules(w.policy, NULL, POLICY_MAIL, SERVICE_SUBMISSION));
    world_close(&w);
}

IN_FIBER(first_decides)
{
    struct world w;
    (void)arg;
    world_open(&w);
    write_table(&w, "senders", "good@sender.test accept\n@sender.test defer Later, {sender}\n");
    write_table(&w, "clients", "192.0.2.0/24 reject\n!192.0.2.7\n");
    world_configure(&w, STRANGERS "table senders { path = senders }\n"
                                  "table clients { path = clients; type = cidr }\n"
                                  "rule senders { check = sender_table; table = senders }\n"
                                  "rule clients { check = client_table; table = clients; "
                                  "text = \"Not {client}\"; code = 557; enhanced = 5.9.9 }\n"
                                  "rule off { check = helo_syntax; enabled = no }\n");
    assert_string_equal(ask_at(&w, POLICY_RCPT), "defer 450 4.7.1 Later, a@sender.test by senders");
    w.facts.sender = STR("GOOD@Sender.test");
    assert_string_equal(ask_at(&w, POLICY_RCPT), "accept by senders");
    w.facts.sender = STR("");
    assert_string_equal(ask_at(&w, POLICY_RCPT), "reject 557 5.9.9 Not 192.0.2.1 by clients");
    w.facts.address = "192.0.2.7";
    w.facts.helo = STR("[bad");
    assert_string_equal(ask_at(&w, POLICY_RCPT), "pass");
    world_close(&w);
}

/* --- accept --- */

IN_FIBER(accept_by_stage)
{
    struct world w;
    (void)arg;
    world_open(&w);
    write_table(&w, "friends", "192.0.2.1\n");
    write_table(&w, "senders", "a@sender.test\n");
    write_table(&w, "recipients", "alice@example.test\n");
    world_configure(
        &w, STRANGERS
        "table friends { path = friends }\n"
        "table senders { path = senders }\n"
        "table recipients { path = recipients }\n"
        "rule early { check = helo_syntax }\n"
        "rule friends { check = client_table; table = friends; at = connect; action = accept }\n"
        "rule senders { check = sender_table; table = senders; at = mail; action = accept }\n"
        "rule recipients { check = recipient_table; table = recipients; action = accept }\n"
        "rule late { check = helo_not_qualified }\n"
        "rule data { check = helo_not_qualified; at = data }\n");
    w.facts.helo = STR("short");
    /* A friend's connection: all behind it is silent, what is before it is not. */
    assert_string_equal(ask_at(&w, POLICY_CONNECT), "accept by friends");
    assert_string_equal(ask_at(&w, POLICY_RCPT), "pass");
    assert_string_equal(ask_at(&w, POLICY_DATA), "pass");
    w.facts.helo = STR("[bad");
    assert_non_null(strstr(ask_at(&w, POLICY_RCPT), "by early"));
    world_disconnect(&w);
    /* A message. */
    w.facts.address = "192.0.2.2";
    w.facts.helo = STR("short");
    assert_string_equal(ask_at(&w, POLICY_CONNECT), "pass");
    assert_string_equal(ask_at(&w, POLICY_MAIL), "accept by senders");
    assert_string_equal(ask_at(&w, POLICY_DATA), "pass");
    policy_session_message_end(w.session);
    w.facts.sender = STR("b@sender.test");
    assert_string_equal(ask_at(&w, POLICY_MAIL), "pass");
    /* A recipient: not the next one, and not the message. */
    assert_string_equal(ask_at(&w, POLICY_RCPT), "accept by recipients");
    w.facts.recipient = STR("bob@example.test");
    assert_non_null(strstr(ask_at(&w, POLICY_RCPT), "by late"));
    w.facts.recipient = STR("alice@example.test");
    assert_string_equal(ask_at(&w, POLICY_RCPT), "accept by recipients");
    assert_non_null(strstr(ask_at(&w, POLICY_DATA), "by data"));
    world_close(&w);
}

/* --- who is not asked --- */

IN_FIBER(spared)
{
    struct world w;
    (void)arg;
    world_open(&w);
    world_configure(&w, "policy { trusted_networks = 192.0.2.0/24 !192.0.2.66 unix\n"
                        "relay_networks = 198.51.100.9 }\n"
                        "rule strangers { check = helo_syntax }\n"
                        "rule all { check = helo_not_qualified; clients = all; "
                        "protocols = smtp submission }\n");
    w.facts.helo = STR("[bad");
    assert_string_equal(ask_at(&w, POLICY_RCPT), "pass");
    w.facts.address = "192.0.2.66";
    assert_non_null(strstr(ask_at(&w, POLICY_RCPT), "by strangers"));
    w.facts.login = STR("alice@example.test");
    assert_string_equal(ask_at(&w, POLICY_RCPT), "pass");
    w.facts.helo = STR("short");
    assert_non_null(strstr(ask_at(&w, POLICY_RCPT), "by all"));
    w.facts.protocol = SERVICE_SUBMISSION;
    assert_non_null(strstr(ask_at(&w, POLICY_RCPT), "by all"));
    w.facts.protocol = SERVICE_LMTP;
    assert_string_equal(ask_at(&w, POLICY_RCPT), "pass");

    assert_true(policy_is_trusted(w.policy, "192.0.2.1"));
    assert_false(policy_is_trusted(w.policy, "192.0.2.66"));
    assert_true(policy_is_trusted(w.policy, "unix"));
    assert_true(policy_is_trusted(w.policy, "198.51.100.9"));
    assert_true(policy_may_relay(w.policy, "::ffff:198.51.100.9"));
    assert_false(policy_may_relay(w.policy, "192.0.2.1"));
    assert_false(policy_may_relay(w.policy, "unix"));
    assert_false(policy_may_relay(w.policy, "unknown"));
    world_close(&w);
}

IN_FIBER(roles)
{
    struct world w;
    (void)arg;
    world_open(&w);
    fill_directory(w.directory);
    world_configure(&w, STRANGERS "rule r { check = helo_syntax }\n"
                                  "rule tag { check = helo_syntax; action = tag; "
                                  "header = \"X-Helo: bad\" }\n"
                                  "rule m { check = helo_not_qualified; at = mail }\n");
    w.facts.helo = STR("[bad");
    w.facts.recipient = STR("Postmaster@example.test");
    assert_string_equal(ask_at(&w, POLICY_RCPT), "tag: X-Helo: bad by tag");
    w.facts.recipient = STR("postmaster");
    assert_string_equal(ask_at(&w, POLICY_RCPT), "tag: X-Helo: bad by tag");
    w.facts.recipient = STR("abuse@example.test");
    assert_string_equal(ask_at(&w, POLICY_RCPT), "tag: X-Helo: bad by tag");
    w.facts.recipient = STR("postmaster.not@example.test");
    assert_non_null(strstr(ask_at(&w, POLICY_RCPT), "reject 550"));
    w.facts.recipient = STR("postmaster@elsewhere.test");
    assert_non_null(strstr(ask_at(&w, POLICY_RCPT), "reject 550"));
    w.facts.helo = STR("short"); /* the recipient is not known yet */
    assert_non_null(strstr(ask_at(&w, POLICY_MAIL), "reject 550"));
    world_close(&w);
}

/* --- dry run, tags, delay --- */

static struct str tags(struct world *w)
{
    struct buf b = BUF_EMPTY;
    policy_session_tags(w->session, &b);
    struct str s = arena_str(w->a, buf_str(&b));
    buf_free(&b);
    return s;
}

IN_FIBER(tags_and_dry_run)
{
    struct world w;
    (void)arg;
    world_open(&w);
    write_table(&w, "t", "a@sender.test tag {sender} is listed\nb@sender.test\n");
    world_configure(&w, STRANGERS
                    "table t { path = t }\n"
                    "rule dry { check = helo_not_qualified; dry_run = yes; delay = 5m }\n"
                    "rule connection { check = helo_not_qualified; at = helo; action = tag; "
                    "header = \"X-Helo: {helo}\" }\n"
                    "rule listed { check = sender_table; table = t; header = \"X-Listed: yes\"; "
                    "delay = 3s }\n");
    w.facts.helo = STR("short");
    assert_string_equal(ask_at(&w, POLICY_HELO), "tag: X-Helo: short by connection");
    assert_string_equal(ask_at(&w, POLICY_RCPT),
                        "tag: X-Listed: a@sender.test is listed by listed");
    assert_int_equal(w.verdict.delay, 3 * USEC_SEC);
    w.facts.recipient = STR("bob@example.test");
    ask_at(&w, POLICY_RCPT); /* once a message */
    assert_string_equal(tags(&w).p, "X-Helo: short\nX-Listed: a@sender.test is listed\n");
    policy_session_message_end(w.session);
    assert_string_equal(tags(&w).p, "X-Helo: short\n");
    w.facts.sender = STR("b@sender.test");
    assert_non_null(strstr(ask_at(&w, POLICY_RCPT), "reject 550 5.7.1"));
    w.facts.sender = STR("c@sender.test");
    w.facts.helo = STR("long.test");
    assert_string_equal(ask_at(&w, POLICY_HELO), "pass"); /* EHLO anew */
    assert_string_equal(tags(&w).p, "");
    world_close(&w);
}

/* A stranger's words cannot make a second line, a longer reply or another header. */
IN_FIBER(replies_are_safe)
{
    struct world w;
    char helo[3000];
    (void)arg;
    world_open(&w);
    world_configure(&w, STRANGERS
                    "rule t { check = helo_syntax; action = tag; at = mail; "
                    "header = \"X-Helo: {helo}\" }\n"
                    "rule r { check = helo_syntax; text = \"{helo}|{helo}|{sender} {why}\" }\n");
    w.facts.helo = STR("a\r\n250 fine\xff\n{why}");
    w.facts.sender = STR("m\xc3\xbc@sender.test");
    ask_at(&w, POLICY_RCPT);
    for (size_t i = 0; i < w.verdict.text.n; i++)
        assert_in_range((unsigned char)w.verdict.text.p[i], 32, 126);
    assert_memory_equal(w.verdict.text.p, "a??250 fine??{why}|a?", 21);
    ask_at(&w, POLICY_MAIL);
    assert_string_equal(tags(&w).p, "X-Helo: a??250 fine??{why}\n");
    memset(helo, '_', sizeof(helo));
    w.facts.helo = str_from(helo, sizeof(helo));
    ask_at(&w, POLICY_RCPT);
    assert_true(w.verdict.text.n <= 400);
    ask_at(&w, POLICY_MAIL);
    assert_true(tags(&w).n < 998);
    world_close(&w);
}

/* --- tables that change --- */

static size_t entries(struct world *w, const char **error)
{
    struct policy_table_info *list;
    size_t count;
    policy_list_tables(w->policy, w->a, &list, &count);
    assert_int_equal(count, 1);
    *error = list[0].error;
    return list[0].entries;
}

static void wait_for_entries(struct world *w, size_t expected, const char *error)
{
    const char *now = "";
    for (int i = 0; i < 2000; i++) {
        if (entries(w, &now) == expected && strstr(now, error) && (error[0] || !now[0]))
            return;
        fiber_sleep(10 * USEC_MSEC, NULL);
    }
    fail_msg("the table has %zu entries, error \"%s\"", entries(w, &now), now);
}

IN_FIBER(a_table_changes)
{
    struct world w;
    (void)arg;
    world_open(&w);
    world_configure(&w, STRANGERS "table t { path = t; type = cidr }\n"
                                  "rule r { check = client_table; table = t; text = No }\n");
    /* It was not there at the start: its rule matches nothing. */
    wait_for_entries(&w, 0, "No such file");
    assert_string_equal(ask_at(&w, POLICY_RCPT), "pass");
    write_table(&w, "t", "192.0.2.1\n");
    wait_for_entries(&w, 1, "");
    assert_string_equal(ask_at(&w, POLICY_RCPT), "reject 554 5.7.1 No by r");
    /* A wrong one: the old one stays. */
    write_table(&w, "t", "192.0.2.1\n192.0.2.1/8\n");
    wait_for_entries(&w, 1, "t:2: \"192.0.2.1/8\" has bits behind its prefix");
    assert_string_equal(ask_at(&w, POLICY_RCPT), "reject 554 5.7.1 No by r");
    write_table(&w, "t", "10.0.0.1\n10.0.0.2\n");
    wait_for_entries(&w, 2, "");
    assert_string_equal(ask_at(&w, POLICY_RCPT), "pass");
    /* One that is gone is missed, and what it said stays. */
    remove_table(&w, "t");
    wait_for_entries(&w, 2, "No such file");
    write_table(&w, "t", "10.0.0.3\n");
    wait_for_entries(&w, 1, "");
    world_close(&w);
}

IN_FIBER(a_reload)
{
    struct world w;
    struct err e;
    (void)arg;
    world_open(&w);
    write_table(&w, "t", "192.0.2.1\n");
    world_configure(&w, STRANGERS "table t { path = t }\n"
                                  "rule r { check = client_table; table = t; text = No }\n");
    assert_string_equal(ask_at(&w, POLICY_RCPT), "reject 554 5.7.1 No by r");
    /* A table that is missing is no reason to begin with it. */
    struct config *c = config_of(&w, "table u { path = u }", &e);
    assert_null(policy_prepare(w.policy, c, &e));
    assert_non_null(strstr(e.text, "table u: "));
    config_unref(c);
    /* This session keeps its rules, the next has the new ones. */
    c = config_of(&w,
                  STRANGERS "table t { path = t }\n"
                            "rule r { check = client_table; table = t; text = Never }\n",
                  &e);
    struct policy_rules *rules = policy_prepare(w.policy, c, &e);
    assert_non_null(rules);
    policy_apply(w.policy, rules);
    config_unref(c);
    assert_string_equal(ask_at(&w, POLICY_RCPT), "reject 554 5.7.1 No by r");
    world_disconnect(&w);
    assert_string_equal(ask_at(&w, POLICY_RCPT), "reject 554 5.7.1 Never by r");
    struct policy_rule_info *list;
    size_t count;
    policy_list_rules(w.policy, w.a, &list, &count);
    assert_int_equal(list[0].matched, 2);
    world_close(&w);
}

/* --- the checks --- */

static void helo(struct world *w, const char *name, const char *rule)
{
    w->facts.helo = str_from_c(name);
    const char *answer = ask_at(w, POLICY_RCPT);
    if (rule ? !strstr(answer, rule) : strcmp(answer, "pass") != 0)
        fail_msg("HELO %s: %s", name, answer);
}

IN_FIBER(helo_checks)
{
    struct world w;
    (void)arg;
    world_open(&w);
    fill_directory(w.directory);
    world_configure(&w, STRANGERS "rule syntax { check = helo_syntax }\n"
                                  "rule short { check = helo_not_qualified }\n"
                                  "rule ours { check = helo_is_ours }\n");
    helo(&w, "mail.example.org", NULL);
    helo(&w, "mail.example.org.", NULL);
    helo(&w, "under_score.example.org", NULL);
    helo(&w, "[192.0.2.1]", NULL);
    helo(&w, "[IPv6:2001:db8::1]", NULL);
    helo(&w, "[2001:db8::1]", "by syntax");
    helo(&w, "[192.0.2]", "by syntax");
    helo(&w, "192.0.2.1", "by syntax");
    helo(&w, "2001:db8::1", "by syntax");
    helo(&w, "1.2.3", "by syntax");
    helo(&w, "-a.example.org", "by syntax");
    helo(&w, "a..example.org", "by syntax");
    helo(&w, ".example.org", "by syntax");
    helo(&w, "a b", "by syntax");
    helo(&w, "<script>", "by syntax");
    helo(&w, "", "by syntax");
    helo(&w, "localhost", "by short");
    helo(&w, "localhost.", "by short");
    helo(&w, "MX.Example.TEST", "by ours");
    helo(&w, "example.test.", "by ours");
    helo(&w, "other.example.test", NULL);
    helo(&w, "[198.51.100.1]", "by ours");
    w.facts.address = "198.51.100.1"; /* this machine itself */
    helo(&w, "[198.51.100.1]", NULL);
    world_close(&w);
}

static void sender(struct world *w, const char *address, const char *rule)
{
    w->facts.sender = str_from_c(address);
    const char *answer = ask_at(w, POLICY_RCPT);
    if (rule ? !strstr(answer, rule) : strcmp(answer, "pass") != 0)
        fail_msg("MAIL %s: %s", address, answer);
}

IN_FIBER(sender_checks)
{
    struct world w;
    (void)arg;
    world_open(&w);
    fill_directory(w.directory);
    world_configure(&w, STRANGERS
                    "rule whole { check = sender_not_qualified; protocols = smtp submission; "
                    "clients = all }\n"
                    "rule login { check = sender_login; protocols = smtp submission }\n");
    sender(&w, "", NULL);
    sender(&w, "a@sender.test", NULL);
    sender(&w, "a@sender", "by whole");
    sender(&w, "a@[192.0.2.1]", "by whole");
    /* A stranger with an address of ours. */
    sender(&w, "alice@example.test", "by login");
    sender(&w, "All@Example.test", "by login");
    sender(&w, "nobody@example.test", NULL);
    w.facts.protocol = SERVICE_SUBMISSION;
    w.facts.login = STR("alice@example.test");
    sender(&w, "alice@example.test", NULL);
    sender(&w, "Info@example.test", NULL);
    sender(&w, "all@example.test", NULL);
    sender(&w, "bob@example.test", "reject 553 5.7.1");
    sender(&w, "a@sender.test", "by login");
    sender(&w, "", NULL);
    w.facts.login = STR("bob@example.test");
    sender(&w, "info@example.test", "by login");
    world_close(&w);
}

/* --- an account with several addresses, and a group --- */

static enum lookup find_zoe(struct source *s, struct str text, struct arena *a,
                            struct source_account *found, struct lookup_trace *t, struct err *e)
{
    (void)s;
    (void)t;
    (void)e;
    if (!str_equal(text, STR("zoe@example.test")) && !str_equal(text, STR("z@example.test")))
        return LOOKUP_NOT_FOUND;
    *found = (struct source_account){.hash = "", .key = STR("zoe")};
    found->account = (struct account){.id = 4711, .keep_copy = true, .name = STR("")};
    found->account.login = found->account.home = STR("zoe@example.test");
    found->account.addresses = arena_array(a, 1, sizeof(struct str));
    found->account.addresses[found->account.address_count++] = STR("z@example.test");
    return LOOKUP_FOUND;
}

static enum lookup find_nothing(struct source *s, struct str address, struct arena *a,
                                struct directory_address *found, struct lookup_trace *t,
                                struct err *e)
{
    (void)s;
    (void)address;
    (void)a;
    (void)found;
    (void)t;
    (void)e;
    return LOOKUP_NOT_FOUND;
}

static enum lookup find_staff(struct source *s, struct str address, struct arena *a,
                              struct directory_group *found, struct lookup_trace *t, struct err *e)
{
    (void)s;
    (void)t;
    (void)e;
    if (!str_equal(address, STR("staff@example.test")))
        return LOOKUP_NOT_FOUND;
    *found = (struct directory_group){.address = address, .name = STR("")};
    found->members = arena_array(a, 1, sizeof(struct str));
    found->members[found->member_count++] = STR("zoe@example.test");
    return LOOKUP_FOUND;
}

static void close_nothing(struct source *s)
{
    (void)s;
}

IN_FIBER(sender_has_addresses)
{
    static const struct source_functions functions = {.kind = "test",
                                                      .find_login = find_zoe,
                                                      .find_account = find_zoe,
                                                      .find_address = find_nothing,
                                                      .find_group = find_staff,
                                                      .close = close_nothing};
    static struct source source = {.functions = &functions, .name = "test"};
    struct world w;
    (void)arg;
    world_open(&w);
    fill_directory(w.directory);
    directory_add_source(w.directory, &source);
    world_configure(&w,
                    STRANGERS "rule login { check = sender_login; protocols = smtp submission }\n");
    sender(&w, "z@example.test", "by login");
    sender(&w, "staff@example.test", "by login");
    w.facts.protocol = SERVICE_SUBMISSION;
    w.facts.login = STR("zoe@example.test");
    sender(&w, "Z@example.test", NULL);
    sender(&w, "zoe@example.test", NULL);
    sender(&w, "staff@example.test", "by login");
    sender(&w, "alice@example.test", "by login");
    w.facts.login = STR("alice@example.test");
    sender(&w, "z@example.test", "by login");
    world_close(&w);
}

IN_FIBER(table_keys)
{
    struct world w;
    (void)arg;
    world_open(&w);
    write_table(&w, "exact",
                "a@sender.test reject whole\na@ reject local\n@dom.test reject at\n"
                "bare.test reject bare\n<> reject null\n");
    write_table(&w, "pattern", "/^$/ reject empty\n/^x.*@y\\./ reject x\n");
    world_configure(&w, STRANGERS "table exact { path = exact }\n"
                                  "table pattern { path = pattern; type = pcre }\n"
                                  "rule e { check = sender_table; table = exact }\n"
                                  "rule p { check = recipient_table; table = pattern }\n");
    sender(&w, "A@SENDER.test", "whole");
    sender(&w, "a@other.test", "local");
    sender(&w, "b@dom.test", "at");
    sender(&w, "b@bare.test", "bare");
    sender(&w, "b@sub.bare.test", NULL);
    sender(&w, "", "null");
    w.facts.recipient = STR("Xyz@Y.test");
    sender(&w, "b@c.test", "reject 550 5.7.1 x by p");
    world_close(&w);
}

/* --- explaining --- */

IN_FIBER(explain)
{
    struct world w;
    (void)arg;
    world_open(&w);
    write_table(&w, "t", "alice@example.test accept\n");
    world_configure(&w, STRANGERS "table t { path = t }\n"
                                  "rule off { check = helo_syntax; enabled = no }\n"
                                  "rule dry { check = helo_not_qualified; dry_run = yes }\n"
                                  "rule friends { check = recipient_table; table = t }\n"
                                  "rule late { check = helo_not_qualified }\n"
                                  "rule first { check = helo_not_qualified; at = helo; "
                                  "action = defer }\n"
                                  "rule data { check = helo_syntax; at = data }\n");
    struct policy_finding *f;
    size_t count;
    w.facts.helo = STR("short");
    policy_explain(w.policy, &w.facts, w.a, &f, &count);
    assert_int_equal(count, 6);
    assert_string_equal(f[0].result, "not enabled");
    assert_string_equal(f[1].result, "match");
    assert_true(f[1].dry_run && !f[1].decides);
    assert_string_equal(f[2].result, "match");
    assert_false(f[2].reached || f[2].decides); /* it comes at RCPT, after HELO was refused */
    assert_true(f[4].reached && f[4].decides);
    assert_int_equal(f[4].verdict.code, 450);
    assert_string_equal(f[5].result, "no match");

    w.facts.helo = (struct str){0};
    policy_explain(w.policy, &w.facts, w.a, &f, &count);
    assert_string_equal(f[4].result, "not known yet");
    struct policy_rule_info *list;
    policy_list_rules(w.policy, w.a, &list, &count);
    for (size_t i = 0; i < count; i++)
        assert_true(list[i].asked == 0 && list[i].matched == 0);
    world_close(&w);
}

/* --- a name that is refused --- */

/* RFC 5321 4.1.4: everything stays as it was before it, also the header lines of the message. */
IN_FIBER(refused_name)
{
    struct world w;
    (void)arg;
    world_open(&w);
    write_table(&w, "evil", "evil.example\n");
    write_table(&w, "good", "good.example\n");
    world_configure(&w, STRANGERS
                    "table evil { path = evil }\n"
                    "table good { path = good }\n"
                    "rule good { check = helo_table; table = good; at = helo; action = accept }\n"
                    "rule name { check = helo_not_qualified; at = helo; action = tag; header = "
                    "\"X-A: {helo}\" }\n"
                    "rule evil { check = helo_table; table = evil; at = helo }\n"
                    "rule sender { check = sender_not_qualified; at = mail; action = tag; header = "
                    "\"X-B: y\" }\n");
    w.facts.helo = STR("short");
    w.facts.sender = STR("a@b");
    assert_string_equal(ask_at(&w, POLICY_HELO), "tag: X-A: short by name");
    assert_string_equal(ask_at(&w, POLICY_MAIL), "tag: X-B: y by sender");
    w.facts.helo = STR("evil.example");
    assert_non_null(strstr(ask_at(&w, POLICY_HELO), "by evil"));
    assert_non_null(strstr(tags(&w).p, "X-A: short\n"));
    assert_non_null(strstr(tags(&w).p, "X-B: y\n"));
    w.facts.helo = STR("other");
    assert_string_equal(ask_at(&w, POLICY_HELO), "tag: X-A: other by name");
    policy_session_message_end(w.session);
    assert_string_equal(tags(&w).p, "X-A: other\n");
    /* An accept holds on as well. */
    w.facts.helo = STR("good.example");
    assert_string_equal(ask_at(&w, POLICY_HELO), "accept by good");
    assert_string_equal(tags(&w).p, "");
    w.facts.helo = STR("evil.example");
    assert_non_null(strstr(ask_at(&w, POLICY_HELO), "by evil"));
    assert_string_equal(ask_at(&w, POLICY_MAIL), "pass");
    world_close(&w);
}

/* Who logs in was a stranger when it said its name. */
IN_FIBER(login_later)
{
    struct world w;
    (void)arg;
    world_open(&w);
    world_configure(
        &w, STRANGERS
        "rule a { check = helo_not_qualified; at = helo; action = tag; header = \"X-A: y\" }\n"
        "rule b { check = helo_not_qualified; at = helo; action = tag; header = \"X-B: y\"; "
        "clients = all }\n");
    w.facts.helo = STR("short");
    ask_at(&w, POLICY_HELO);
    assert_string_equal(tags(&w).p, "X-A: y\nX-B: y\n");
    policy_session_login(w.session);
    assert_string_equal(tags(&w).p, "X-B: y\n");
    policy_session_login(NULL);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_rules),
        cmocka_unit_test(test_first_decides),
        cmocka_unit_test(test_accept_by_stage),
        cmocka_unit_test(test_spared),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_tags_and_dry_run),
        cmocka_unit_test(test_replies_are_safe),
        cmocka_unit_test(test_a_table_changes),
        cmocka_unit_test(test_a_reload),
        cmocka_unit_test(test_helo_checks),
        cmocka_unit_test(test_sender_checks),
        cmocka_unit_test(test_sender_has_addresses),
        cmocka_unit_test(test_table_keys),
        cmocka_unit_test(test_explain),
        cmocka_unit_test(test_refused_name),
        cmocka_unit_test(test_login_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
