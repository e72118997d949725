/*
 * A name is "<internal date>.U<UID>.maild:2,<flags>": unique in the mailbox, in the order of the
 * messages' age, and the same each time. The first 26 keywords of a mailbox get letters, as in
 * Dovecot's Maildirs.
 */
#include "mailctl/maildir.h"

#include "imap/selected.h"
#include "store/maildir_name.h"
#include "store/uidlist.h"

#define MARK STR(".U")

bool maildir_begin(struct maildir_form *f, const json_t *mailbox, struct err *e)
{
    struct buf b = BUF_EMPTY;
    struct uidlist_header header = {.validity = (uint32_t)number_of(mailbox, "uid_validity"),
                                    .next = (uint32_t)number_of(mailbox, "uid_next")};
    header.has_guid = guid_parse(str_from_c(text_of(mailbox, "id")), header.guid);
    f->uidlist.fd = -1;
    uidlist_add_header(&b, &header);
    bool ok = body_add(&f->uidlist, buf_str(&b), e);
    buf_free(&b);
    return ok;
}

static uint32_t letters_of(struct maildir_form *f, const json_t *message)
{
    struct str rest = str_from_c(text_of(message, "keywords")), word;
    uint32_t letters = 0;
    while ((word = str_word(&rest)).p) {
        int number = keywords_add(&f->keywords, word);
        if (number >= 0 && number < KEYWORD_LETTERS)
            letters |= 1u << number;
    }
    return letters;
}

bool maildir_add(struct maildir_form *f, const json_t *message, struct buf *name, bool in_list,
                 struct err *e)
{
    char info[MAILDIR_INFO_MAX];
    struct buf base = BUF_EMPTY, line = BUF_EMPTY;
    int64_t date = number_of(message, "date");
    uint32_t uid = (uint32_t)number_of(message, "uid");
    size_t n = maildir_info_format(info, flags_from_text(text_of(message, "flags")),
                                   letters_of(f, message));
    bool ok = true;
    buf_printf(&base, "%lld.U%u.maild", (long long)(date > 0 ? date : 0), uid);
    if (in_list) {
        struct uidlist_line l = {.uid = uid,
                                 .has_size = true,
                                 .has_size_crlf = true,
                                 .size = (uint64_t)number_of(message, "size"),
                                 .size_crlf = (uint64_t)number_of(message, "size_crlf"),
                                 .base = buf_str(&base)};
        uidlist_add_line(&line, &l);
        ok = body_add(&f->uidlist, buf_str(&line), e);
    }
    if (name) {
        buf_add_str(name, buf_str(&base));
        buf_add(name, info, n);
    }
    buf_free(&base);
    buf_free(&line);
    return ok;
}

struct str maildir_keywords(struct maildir_form *f)
{
    buf_clear(&f->keyword_lines);
    keywords_format(&f->keywords, &f->keyword_lines);
    return buf_str(&f->keyword_lines);
}

void maildir_end(struct maildir_form *f)
{
    keywords_free(&f->keywords);
    f->keywords = (struct keyword_table){0};
    body_clear(&f->uidlist);
    buf_free(&f->uidlist.memory);
    buf_free(&f->keyword_lines);
}

uint32_t maildir_name_uid(struct str name)
{
    uint32_t uid;
    ptrdiff_t mark = str_find(name, MARK);
    if (mark < 0)
        return 0;
    struct str rest = str_skip(name, (size_t)mark + MARK.n);
    return str_to_u32(str_split(&rest, '.'), &uid) ? uid : 0;
}

uint8_t flags_from_text(const char *text)
{
    struct str rest = str_from_c(text), word;
    uint8_t flags = 0, flag;
    while ((word = str_word(&rest)).p)
        if (imap_flag_find(word, &flag))
            flags |= flag;
    return flags;
}

void add_flags_text(struct buf *b, uint8_t flags)
{
    imap_write_flags(b, NULL, flags, 0, false);
}
