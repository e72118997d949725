/*
 * Any bytes as the arguments of FETCH and SEARCH: items, sections, modifiers and search keys, and
 * the keys evaluated on a small message; of SORT, THREAD and ESEARCH; of SELECT with QRESYNC; and
 * of LIST, NOTIFY SET and GETMETADATA. The first byte says which; in lower case, in a session with
 * other extensions enabled.
 */
#include "imap/fetch.h"
#include "imap/list.h"
#include "imap/metadata.h"
#include "imap/notify.h"
#include "imap/search_command.h"
#include "imap/search_sources.h"
#include "imap/sort.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stands for a mailbox without messages and keywords: the keys ask it for nothing else. */
static _Alignas(16) char empty_mailbox[64 * 1024];
static const char header[] = "From: \"A\" <a@example.test>\nDate: 21 Nov 2026 08:00:00 +0100\n\n";

static void fetch(struct imap_command *c)
{
    struct fetch_request request;
    c->uid = true;
    if (!fetch_take_items(c, &request))
        return;
    for (const struct fetch_item *item = request.items; item; item = item->next)
        if (!item->name.n)
            __builtin_trap();
    if (fetch_take_modifiers(c, &request) && request.partial.last < request.partial.first)
        __builtin_trap();
}

static uint64_t count_numbers(const struct number_set *set)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < set->count; i++)
        sum += (uint64_t)set->ranges[i].last - set->ranges[i].first + 1;
    return sum;
}

static void select_mailbox(struct imap_command *c)
{
    struct select_parameters p;
    if (!imap_take_select_parameters(c, &p))
        return;
    if (p.qresync && (!p.uid_validity || p.has_uids != (p.uids.count > 0)))
        __builtin_trap();
    if (count_numbers(&p.numbers) != count_numbers(&p.number_uids))
        __builtin_trap();
}

static void search(struct imap_command *c)
{
    struct search_program program;
    struct search_message message = {.uid = 5, .size = 100, .day = 20000};
    if (!imap_take_search(c, &program))
        return;
    search_evaluate(program.root, &message, SEARCH_MEMORY);
    message.header = str_from(header, sizeof header - 1);
    if (search_evaluate(program.root, &message, SEARCH_HEADERS) != SEARCH_UNDECIDED)
        return;
    message.bytes = message.header;
    message.root = mime_parse(c->arena, message.bytes, &mime_limits_default, false);
    if (search_evaluate(program.root, &message, SEARCH_CONTENT) == SEARCH_UNDECIDED)
        __builtin_trap();
}

/* As THREAD has them behind its algorithm. */
static void keys(struct imap_command *c)
{
    struct imap_search s;
    struct str charset;
    imap_search_begin(&s, c);
    if (imap_take_charset(c, &charset) && imap_take_keys(&s, charset) && !s.program.root)
        __builtin_trap();
}

static void sort(struct imap_command *c)
{
    struct sort_program program;
    if (!imap_take_criteria(c, &program))
        return;
    if (!program.count || program.count > SORT_KINDS)
        __builtin_trap();
    keys(c);
}

static void sources(struct imap_command *c)
{
    struct search_sources s;
    struct mailbox_info m = {.name = STR("a/b"), .exists = true};
    if (imap_take_sources(c, &s))
        search_sources_have(&s, c->session, &m);
}

static void list(struct imap_command *c)
{
    struct listing l = {.naming = imap_session_naming(c->session)};
    imap_take_listing(c, &l);
}

static void notify(struct imap_command *c)
{
    struct notify_request *r;
    struct fetch_request items;
    if (!notify_take_request(c, &r))
        return;
    /* What is kept for later can be fetched later. */
    c->next = r->fetch;
    if (r->fetch && !fetch_take_items(c, &items))
        __builtin_trap();
    notify_request_free(r);
}

static void metadata(struct imap_command *c)
{
    struct imap_metadata_request r = {0};
    if (!imap_take_metadata_entries(c, imap_take(c, "entries"), &r))
        return;
    for (size_t i = 0; i < r.count; i++)
        if (imap_metadata_name_error(r.entries[i], false))
            __builtin_trap();
}

static void run(struct imap_command *c, char kind)
{
    switch (kind) {
    case 'F':
        fetch(c);
        break;
    case 'Q':
        select_mailbox(c);
        break;
    case 'T':
        keys(c);
        break;
    case 'S':
        sort(c);
        break;
    case 'E':
        sources(c);
        break;
    case 'L':
        list(c);
        break;
    case 'N':
        notify(c);
        break;
    case 'M':
        metadata(c);
        break;
    default:
        search(c);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct imap_settings settings = {.separator = "/", .append_size_max = 1000};
    struct arena *a = arena_new();
    uint32_t uids[] = {3, 5, 8};
    struct imap_selected view = {
        .uids = uids, .count = 3, .mailbox = (struct mailbox *)empty_mailbox};
    struct imap_session session = {.selected = &view, .settings = &settings};
    struct imap_command *c = ARENA_NEW(a, struct imap_command);
    struct imap_parser p;
    char kind = size ? (char)data[0] : 0;
    session.enabled = ENABLED_CONDSTORE | ENABLED_QRESYNC;
    if (kind >= 'a' && kind <= 'z') {
        kind -= 'a' - 'A';
        session.enabled |= ENABLED_UTF8 | ENABLED_UIDONLY;
    }
    c->arena = a;
    c->session = &session;
    imap_parser_init(&p, a, (struct imap_parser_limits){300, 20});
    p.sections = kind == 'F' || kind == 'N';
    p.after_value = true;
    imap_parser_line(&p, str_skip(str_from((const char *)data, size), 1));
    if (imap_parser_arguments(&p) == IMAP_PARSE_DONE) {
        c->next = p.arguments;
        run(c, kind);
    }
    arena_free(a);
    return 0;
}
