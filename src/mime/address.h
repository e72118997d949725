#pragma once
/*
 * Mail addresses: of the envelope (RFC 5321, 6531) and of header fields (RFC 5322).
 */
#include "core/arena.h"

/* local@domain of an envelope. */
struct address {
    struct str local;  /* without quotes and escapes; "" in the null address <> */
    struct str domain; /* lower case, A-labels or UTF-8 as given; "" when there is none */
};

enum address_flags {
    ADDRESS_UTF8 = 1,      /* UTF-8 allowed (SMTPUTF8) */
    ADDRESS_NULL = 2,      /* <> allowed */
    ADDRESS_NO_DOMAIN = 4, /* <postmaster>, or a login without domain */
};

/* Parses "local@domain" (no angle brackets; a source route is skipped). Limits: local 255, domain
 * 255, all 320 bytes for UTF-8. False: *reason (may be NULL) says what is wrong. Strings are copies
 * in the arena. */
bool address_parse(struct arena *a, struct str text, int flags, struct address *address,
                   const char **reason);
/* The text form, the local part quoted where needed. */
struct str address_text(struct arena *a, const struct address *address);
/* What addresses compare by in the directory: both parts lower case, the domain as A-labels
 * (libidn2 is not here: as lower-case UTF-8), no quotes: "alice@example.test". */
struct str address_key(struct arena *a, const struct address *address);
/* Of "local@domain"; "" : it has none. */
static inline struct str address_domain(struct str text)
{
    ptrdiff_t at = str_find_last_char(text, '@');
    return at < 0 ? STR("") : str_skip(text, (size_t)at + 1);
}
/* "<a@b>" as "a@b"; anything else as it is. */
static inline struct str address_without_brackets(struct str s)
{
    return s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>' ? str_from(s.p + 1, s.n - 2) : s;
}
/* Syntax of a host name (letters, digits, hyphens, dots, UTF-8 if allowed) or an address literal
 * "[...]". */
bool domain_is_valid(struct str domain, bool utf8);

/* One element of an address list in a header (To, From ...). */
struct mailbox_address {
    struct str name;  /* display name, RFC 2047 still encoded; p == NULL: none */
    struct str route; /* "@a,@b"; p == NULL: none */
    struct str local; /* p == NULL with domain NULL: end of a group; local only: start of a group of
                         that name */
    struct str domain;
};
/* Never fails: what cannot be understood is left out or kept as a name. */
struct mailbox_address *address_list_parse(struct arena *a, struct str value, size_t *count);
