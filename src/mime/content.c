/*
 * The Content-* fields of a part (RFC 2045 5 to 8, RFC 2183, RFC 3282, RFC 2557), with the defaults
 * of RFC 2045 5.2 and RFC 2046 5.1.5. Of several fields of one name the first counts. Content-Type
 * is believed without MIME-Version, as other programs do. What is broken is read as far as it goes:
 * "text" without a subtype is text/plain, other types become type/unknown.
 */
#include "mime/content.h"

#include "mime/header.h"
#include "mime/limits.h"
#include "mime/parameter.h"

static struct str keep(const struct content_reader *r, struct str s)
{
    return r->copy ? arena_str(r->arena, s) : s;
}

static void add_default_charset(struct arena *a, struct mime_part *part)
{
    if (!str_equal_nocase(part->type, STR("text")) ||
        mime_parameter_find(part->parameters, part->parameter_count, STR("charset")))
        return;
    if (part->parameters == NULL)
        part->parameters = ARENA_NEW(a, struct mime_parameter);
    /* parameters_parse leaves room for this one. */
    part->parameters[part->parameter_count++] =
        (struct mime_parameter){.name = STR("charset"), .value = STR("us-ascii")};
}

static void parse_type(struct content_reader *r, struct mime_part *part, struct str value)
{
    struct lexer l = lexer_on(value);
    lexer_skip_space(&l);
    struct str type = lexer_token(&l), subtype = STR("");
    lexer_skip_space(&l);
    if (lexer_at(&l, '/')) {
        l.p++;
        lexer_skip_space(&l);
        subtype = lexer_token(&l);
    }
    if (type.n == 0)
        return;
    part->type = keep(r, type);
    if (subtype.n > 0)
        part->subtype = keep(r, subtype);
    else if (str_equal_nocase(type, STR("text")))
        part->subtype = STR("plain");
    else
        part->subtype =
            str_equal_nocase(type, STR("multipart")) ? STR("x-unknown") : STR("unknown");
    part->parameters = parameters_parse(r->arena, &l, &r->parameters_left, &part->parameter_count);
}

static void parse_disposition(struct content_reader *r, struct mime_part *part, struct str value)
{
    struct lexer l = lexer_on(value);
    lexer_skip_space(&l);
    struct str disposition = lexer_token(&l);
    if (disposition.n == 0)
        return;
    part->disposition = keep(r, disposition);
    part->disposition_parameters =
        parameters_parse(r->arena, &l, &r->parameters_left, &part->disposition_parameter_count);
}

static void parse_encoding(struct content_reader *r, struct mime_part *part, struct str value)
{
    struct lexer l = lexer_on(value);
    lexer_skip_space(&l);
    struct str encoding = lexer_token(&l);
    if (encoding.n > 0)
        part->encoding = keep(r, encoding);
}

static void parse_languages(struct content_reader *r, struct mime_part *part, struct str value)
{
    struct str found[MIME_LANGUAGES_MAX];
    size_t n = 0;
    struct lexer l = lexer_on(value);
    while (n < MIME_LANGUAGES_MAX) {
        lexer_skip_space(&l);
        struct str tag = lexer_token(&l);
        if (tag.n > 0)
            found[n++] = keep(r, tag);
        lexer_skip_to(&l, ",");
        if (lexer_at_end(&l))
            break;
        l.p++;
    }
    part->languages = arena_array(r->arena, n, sizeof(*part->languages));
    part->language_count = n;
    if (n > 0)
        memcpy(part->languages, found, n * sizeof(found[0]));
}

/* A value kept as it is, unfolded. */
static void parse_plain(struct content_reader *r, struct str *field, struct str value)
{
    struct str trimmed = str_trim(value);
    if (field->p == NULL)
        *field =
            !r->copy && str_find_char(trimmed, '\n') < 0 ? trimmed : header_unfold(r->arena, value);
}

static void parse_field(struct content_reader *r, struct mime_part *part, struct str name,
                        struct str value)
{
    if (str_equal_nocase(name, STR("Type"))) {
        if (part->type.p == NULL)
            parse_type(r, part, value);
    } else if (str_equal_nocase(name, STR("Transfer-Encoding"))) {
        if (part->encoding.p == NULL)
            parse_encoding(r, part, value);
    } else if (str_equal_nocase(name, STR("Disposition"))) {
        if (part->disposition.p == NULL)
            parse_disposition(r, part, value);
    } else if (str_equal_nocase(name, STR("Language"))) {
        if (part->languages == NULL)
            parse_languages(r, part, value);
    } else if (str_equal_nocase(name, STR("ID"))) {
        parse_plain(r, &part->id, value);
    } else if (str_equal_nocase(name, STR("Description"))) {
        parse_plain(r, &part->description, value);
    } else if (str_equal_nocase(name, STR("MD5"))) {
        parse_plain(r, &part->md5, value);
    } else if (str_equal_nocase(name, STR("Location"))) {
        parse_plain(r, &part->location, value);
    }
}

void content_parse(struct content_reader *r, struct mime_part *part, struct str block,
                   bool in_digest)
{
    struct header_field field;
    while (header_next(&block, &field))
        if (str_starts_with_nocase(field.name, STR("Content-")))
            parse_field(r, part, str_skip(field.name, 8), field.value);
    if (part->type.p == NULL) {
        part->type = in_digest ? STR("message") : STR("text");
        part->subtype = in_digest ? STR("rfc822") : STR("plain");
    }
    if (part->encoding.p == NULL)
        part->encoding = STR("7bit");
    add_default_charset(r->arena, part);
}

bool content_type_is(const struct mime_part *part, const char *type, const char *subtype)
{
    return str_equal_nocase(part->type, str_from_c(type)) &&
           (subtype == NULL || str_equal_nocase(part->subtype, str_from_c(subtype)));
}
