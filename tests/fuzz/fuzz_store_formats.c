/*
 * What the store reads from disk: dovecot-uidlist, dovecot-keywords, annotations, file and folder
 * names, UIDs of records. Whatever is accepted must come out the same when it is written and read
 * again.
 */
#include "core/arena.h"
#include "store/folder_name.h"
#include "store/keywords.h"
#include "store/maildir_name.h"
#include "store/metadata_file.h"
#include "store/record.h"
#include "store/uidlist.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct folder_naming naming;

static void try_uidlist(struct str text)
{
    struct uidlist_header h, h2;
    struct uidlist_line line, line2;
    struct buf b = BUF_EMPTY;
    bool damaged;
    uint32_t last = 0;

    if (!uidlist_read_header(&text, &h))
        return;
    uidlist_add_header(&b, &h);
    struct str again = buf_str(&b);
    assert(uidlist_read_header(&again, &h2) && h.validity == h2.validity && h.next == h2.next);
    while (text.n > 0) {
        if (!uidlist_read_line(&text, last, &line, &damaged))
            continue;
        last = line.uid;
        buf_clear(&b);
        uidlist_add_line(&b, &line);
        again = buf_str(&b);
        assert(uidlist_read_line(&again, 0, &line2, &damaged));
        assert(line.uid == line2.uid && str_equal(line.base, line2.base));
    }
    buf_free(&b);
}

static void try_names(struct str name)
{
    struct str base, info;
    uint8_t flags;
    uint32_t keywords;
    uint64_t size;
    struct buf b = BUF_EMPTY, c = BUF_EMPTY;

    maildir_name_split(name, &base, &info);
    maildir_name_get_size(base, 'S', &size);
    maildir_name_is_ours(base);
    maildir_name_compare(name, base);
    maildir_info_parse(info, &flags, &keywords);
    maildir_info_merge(&b, info, flags, keywords);
    uint8_t flags2;
    uint32_t keywords2;
    maildir_info_parse(buf_str(&b), &flags2, &keywords2);
    assert(flags == flags2 && keywords == keywords2);
    buf_clear(&b);
    if (folder_name_check(name, &b, NULL)) {
        struct buf decoded = BUF_EMPTY;
        folder_name_add_dir(&c, &naming, buf_str(&b));
        if (c.n > 0) {
            assert(folder_name_add_decoded(&decoded, &naming, buf_str(&c)));
            assert(str_equal(buf_str(&decoded), buf_str(&b)));
        }
        buf_free(&decoded);
    }
    buf_clear(&b);
    folder_name_add_decoded(&b, &naming, name);
    buf_free(&b);
    buf_free(&c);
}

static void try_metadata(struct str text)
{
    struct arena *a = arena_new();
    struct metadata m, m2;
    struct buf b = BUF_EMPTY;

    if (metadata_parse(&m, text, a)) {
        metadata_format(&b, &m);
        assert(metadata_parse(&m2, buf_str(&b), a) && m2.count == m.count);
        for (size_t i = 0; i < m.count; i++) {
            assert(str_equal(m.list[i].name, m2.list[i].name));
            assert(str_equal(m.list[i].value, m2.list[i].value));
        }
        struct metadata_entry none = {.name = STR("/private/a")};
        metadata_apply(&m, &none, 1, a);
    }
    buf_free(&b);
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str text = str_from((const char *)data, n);
    struct keyword_table k = {0};
    struct record_mailbox m;
    struct reader r = {.p = text.p, .n = text.n};
    struct buf b = BUF_EMPTY;

    try_uidlist(text);
    try_names(text);
    try_metadata(text);
    keywords_parse(&k, text);
    keywords_format(&k, &b);
    keywords_free(&k);
    record_read_mailbox(&r, &m);
    struct arena *a = arena_new();
    size_t count;
    record_read_names(&r, a, &count);
    arena_free(a);
    buf_free(&b);
    return 0;
}
