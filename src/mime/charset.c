/*
 * Charsets to UTF-8. Names come from strangers, so only those in the table below reach iconv:
 * glibc has had overflows in rare ones (ISO-2022-CN-EXT, CVE-2024-2961) and loads a module per
 * name. Names compare without case, hyphens and underscores, which covers most of the spellings in
 * the wild; the table adds the aliases glibc does not know and maps what programs say to what they
 * mean (iso-8859-1 is windows-1252, gb2312 is GB18030, ks_c_5601-1987 is CP949, as browsers do).
 *
 * ASCII, UTF-8 and windows-1252, most of all mail, are converted here without iconv. What has no
 * meaning in its charset becomes U+FFFD, so that the result is always well-formed UTF-8 without
 * NUL.
 */
#include "core/buf.h"
#include "mime/header.h"
#include "mime/limits.h"
#include "mime/text.h"

#include <errno.h>
#include <iconv.h>

#define WESTERN "" /* windows-1252, converted here */
#define UNICODE "utf8"
#define ASCII   "ascii" /* or whatever it is instead */

struct charset {
    const char *key; /* lower case without - and _ */
    const char *iconv;
};

static const struct charset charsets[] = {
    {"utf8", UNICODE},
    {"unicode11utf8", UNICODE},
    {"usascii", ASCII},
    {"ascii", ASCII},
    {"ansix3.41968", ASCII},
    {"iso646us", ASCII},
    {"unknown8bit", ASCII},
    {"8bit", ASCII},
    {"binary", ASCII},
    {"iso88591", WESTERN},
    {"latin1", WESTERN},
    {"l1", WESTERN},
    {"isoir100", WESTERN},
    {"windows1252", WESTERN},
    {"cp1252", WESTERN},
    {"iso88592", "ISO-8859-2"},
    {"latin2", "ISO-8859-2"},
    {"iso88593", "ISO-8859-3"},
    {"iso88594", "ISO-8859-4"},
    {"iso88595", "ISO-8859-5"},
    {"iso88596", "ISO-8859-6"},
    {"iso88596i", "ISO-8859-6"},
    {"iso88597", "ISO-8859-7"},
    {"iso88598", "ISO-8859-8"},
    {"iso88598i", "ISO-8859-8"},
    {"iso88598e", "ISO-8859-8"},
    {"logical", "ISO-8859-8"},
    {"iso88599", "CP1254"},
    {"latin5", "CP1254"},
    {"iso885910", "ISO-8859-10"},
    {"iso885911", "CP874"},
    {"iso885913", "ISO-8859-13"},
    {"iso885914", "ISO-8859-14"},
    {"iso885915", "ISO-8859-15"},
    {"latin9", "ISO-8859-15"},
    {"iso885916", "ISO-8859-16"},
    {"windows1250", "CP1250"},
    {"cp1250", "CP1250"},
    {"windows1251", "CP1251"},
    {"cp1251", "CP1251"},
    {"windows1253", "CP1253"},
    {"cp1253", "CP1253"},
    {"windows1254", "CP1254"},
    {"cp1254", "CP1254"},
    {"windows1255", "CP1255"},
    {"cp1255", "CP1255"},
    {"windows1256", "CP1256"},
    {"cp1256", "CP1256"},
    {"windows1257", "CP1257"},
    {"cp1257", "CP1257"},
    {"windows1258", "CP1258"},
    {"cp1258", "CP1258"},
    {"windows874", "CP874"},
    {"cp874", "CP874"},
    {"tis620", "CP874"},
    {"koi8r", "KOI8-R"},
    {"koi8", "KOI8-R"},
    {"koi8u", "KOI8-U"},
    {"koi8ru", "KOI8-U"},
    {"ibm437", "IBM437"},
    {"cp437", "IBM437"},
    {"ibm850", "IBM850"},
    {"cp850", "IBM850"},
    {"ibm852", "IBM852"},
    {"cp852", "IBM852"},
    {"ibm855", "IBM855"},
    {"cp855", "IBM855"},
    {"ibm862", "IBM862"},
    {"cp862", "IBM862"},
    {"ibm866", "IBM866"},
    {"cp866", "IBM866"},
    {"macintosh", "MACINTOSH"},
    {"mac", "MACINTOSH"},
    {"xmacroman", "MACINTOSH"},
    {"xmaccyrillic", "MAC-CYRILLIC"},
    {"gb2312", "GB18030"},
    {"gb231280", "GB18030"},
    {"gbk", "GB18030"},
    {"xgbk", "GB18030"},
    {"cp936", "GB18030"},
    {"windows936", "GB18030"},
    {"euccn", "GB18030"},
    {"gb18030", "GB18030"},
    {"big5", "BIG5-HKSCS"},
    {"xxbig5", "BIG5-HKSCS"},
    {"cnbig5", "BIG5-HKSCS"},
    {"cp950", "BIG5-HKSCS"},
    {"big5hkscs", "BIG5-HKSCS"},
    {"euctw", "EUC-TW"},
    {"shiftjis", "CP932"},
    {"sjis", "CP932"},
    {"xsjis", "CP932"},
    {"mskanji", "CP932"},
    {"windows31j", "CP932"},
    {"cp932", "CP932"},
    {"eucjp", "EUC-JP-MS"},
    {"xeucjp", "EUC-JP-MS"},
    {"iso2022jp", "ISO-2022-JP-2"},
    {"csiso2022jp", "ISO-2022-JP-2"},
    {"iso2022jp1", "ISO-2022-JP-2"},
    {"iso2022jp2", "ISO-2022-JP-2"},
    {"euckr", "CP949"},
    {"ksc56011987", "CP949"},
    {"ksc5601", "CP949"},
    {"cp949", "CP949"},
    {"windows949", "CP949"},
    {"uhc", "CP949"},
    {"iso2022kr", "ISO-2022-KR"},
    {"johab", "JOHAB"},
    {"viscii", "VISCII"},
    {"armscii8", "ARMSCII-8"},
    {"utf7", "UTF-7"},
    {"unicode11utf7", "UTF-7"},
    {"utf16", "UTF-16"},
    {"utf16be", "UTF-16BE"},
    {"utf16le", "UTF-16LE"},
    {"utf32", "UTF-32"},
    {"utf32be", "UTF-32BE"},
    {"utf32le", "UTF-32LE"},
};

/* windows-1252 from 0x80 to 0x9f; 0: not assigned. */
static const uint16_t western_high[32] = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178,
};

static const struct charset *find_charset(struct str name)
{
    char key[MIME_CHARSET_MAX + 1];
    size_t n = 0;
    name = str_trim(name);
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '-' || name.p[i] == '_')
            continue;
        if (name.p[i] == '\0' || n == MIME_CHARSET_MAX)
            return NULL;
        key[n++] = char_lower(name.p[i]);
    }
    key[n] = '\0';
    for (size_t i = 0; i < sizeof(charsets) / sizeof(charsets[0]); i++)
        if (strcmp(charsets[i].key, key) == 0)
            return &charsets[i];
    return NULL;
}

static void add_code_point(struct buf *out, unsigned c)
{
    if (c >= 0x800) {
        buf_add_char(out, (char)(0xe0 | c >> 12));
        buf_add_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
    } else {
        buf_add_char(out, (char)(0xc0 | c >> 6));
    }
    buf_add_char(out, (char)(0x80 | (c & 0x3f)));
}

static void add_western(struct buf *out, struct str bytes)
{
    size_t i = 0;
    while (i < bytes.n) {
        size_t ascii = text_ascii_prefix(str_skip(bytes, i));
        buf_add(out, bytes.p + i, ascii);
        i += ascii;
        if (i == bytes.n)
            return;
        unsigned char c = (unsigned char)bytes.p[i++];
        if (c == 0)
            buf_add_str(out, TEXT_REPLACEMENT);
        else if (c >= 0xa0)
            add_code_point(out, c);
        else
            add_code_point(out, western_high[c - 0x80] ? western_high[c - 0x80] : 0xfffd);
    }
}

/* Bytes of the well-formed UTF-8 sequence at p, 0 when there is none (or NUL). */
static size_t sequence_length(struct str s)
{
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    return n > 0 && n <= s.n && str_is_utf8(str_head(s, n)) ? n : 0;
}

void text_add_utf8(struct buf *out, struct str bytes)
{
    if (str_is_utf8(bytes)) {
        buf_add_str(out, bytes);
        return;
    }
    for (size_t i = 0; i < bytes.n;) {
        size_t ascii = text_ascii_prefix(str_skip(bytes, i));
        buf_add(out, bytes.p + i, ascii);
        i += ascii;
        if (i == bytes.n)
            return;
        size_t n = sequence_length(str_skip(bytes, i));
        if (n > 0)
            buf_add(out, bytes.p + i, n);
        else
            buf_add_str(out, TEXT_REPLACEMENT);
        i += n > 0 ? n : 1;
    }
}

size_t text_ascii_prefix(struct str s)
{
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t word;
        memcpy(&word, s.p + i, 8);
        bool has_zero = ((word - 0x0101010101010101u) & ~word & 0x8080808080808080u) != 0;
        if ((word & 0x8080808080808080u) != 0 || has_zero)
            break;
    }
    while (i < s.n && s.p[i] != '\0' && (unsigned char)s.p[i] < 128)
        i++;
    return i;
}

static bool add_by_iconv(struct buf *out, const char *from, struct str bytes)
{
    iconv_t converter = iconv_open("UTF-8", from);
    if (converter == (iconv_t)-1)
        return false;
    char *in = (char *)bytes.p;
    size_t left = bytes.n;
    while (left > 0) {
        char chunk[4096], *to = chunk;
        size_t room = sizeof(chunk);
        size_t result = iconv(converter, &in, &left, &to, &room);
        int error = errno;
        text_add_utf8(out, str_from(chunk, sizeof(chunk) - room));
        if (result != (size_t)-1)
            break;
        if (error == E2BIG)
            continue;
        buf_add_str(out, TEXT_REPLACEMENT);
        if (error != EILSEQ || left == 0)
            break; /* the text ends within a character */
        in++;
        left--;
    }
    char last[64], *to = last;
    size_t room = sizeof(last);
    iconv(converter, NULL, NULL, &to, &room); /* what waits for a combining character */
    text_add_utf8(out, str_from(last, sizeof(last) - room));
    iconv_close(converter);
    return true;
}

bool text_add_charset(struct buf *out, struct str name, struct str bytes)
{
    const struct charset *charset = find_charset(name);
    if (charset == NULL) {
        text_add_utf8(out, bytes);
        return false;
    }
    if (strcmp(charset->iconv, UNICODE) == 0)
        text_add_utf8(out, bytes);
    else if (strcmp(charset->iconv, ASCII) == 0)
        text_add_unlabelled(out, bytes);
    else if (charset->iconv[0] == '\0')
        add_western(out, bytes);
    else if (!add_by_iconv(out, charset->iconv, bytes)) {
        text_add_utf8(out, bytes);
        return false;
    }
    return true;
}

void text_add_unlabelled(struct buf *out, struct str bytes)
{
    if (text_ascii_prefix(bytes) == bytes.n || str_is_utf8(bytes))
        buf_add_str(out, bytes);
    else
        add_western(out, bytes);
}

bool text_charset_extends_ascii(struct str name)
{
    const struct charset *charset = find_charset(name);
    return charset == NULL ||
           (strncmp(charset->iconv, "UTF-", 4) != 0 && strncmp(charset->iconv, "ISO-2022", 8) != 0);
}

bool text_charset_is_known(struct str name)
{
    return find_charset(name) != NULL;
}

bool charset_to_utf8(struct arena *a, struct str charset, struct str bytes, struct str *utf8)
{
    struct buf out = BUF_EMPTY;
    bool known = text_add_charset(&out, charset, bytes);
    *utf8 = arena_str(a, buf_str(&out));
    buf_free(&out);
    return known;
}
