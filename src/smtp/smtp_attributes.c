/*
 * Syntax of XCLIENT and XFORWARD, as Postfix documents it (XCLIENT_README, XFORWARD_README): words
 * of name, "=" and a value in xtext; "[UNAVAILABLE]" and "[TEMPUNAVAIL]" say why there is none.
 * XCLIENT changes who the client is, so its values must be of their kind; XFORWARD is for the log
 * and may tell of systems that know neither host names nor IP addresses.
 *
 * The values repeat what strangers have told the other server. They get into log lines and the
 * Received header, so whatever is special there becomes "?".
 */
#include "smtp/smtp_attributes.h"

#include "mime/address.h"
#include "net/network.h"
#include "smtp/limits.h"
#include "smtp/xtext.h"

typedef bool check_function(struct str value);

static check_function is_host, is_address, is_port, is_protocol, is_source, is_anything;

static const struct attribute {
    struct str name;
    int commands;
    check_function *of_xclient, *of_xforward;
} table[ATTRIBUTES] = {
    [ATTRIBUTE_NAME] = {{"NAME", 4}, OF_XCLIENT | OF_XFORWARD, is_host, is_anything},
    [ATTRIBUTE_ADDR] = {{"ADDR", 4}, OF_XCLIENT | OF_XFORWARD, is_address, is_anything},
    [ATTRIBUTE_PORT] = {{"PORT", 4}, OF_XCLIENT | OF_XFORWARD, is_port, is_port},
    [ATTRIBUTE_PROTO] = {{"PROTO", 5}, OF_XCLIENT | OF_XFORWARD, is_protocol, is_anything},
    [ATTRIBUTE_HELO] = {{"HELO", 4}, OF_XCLIENT | OF_XFORWARD, is_anything, is_anything},
    [ATTRIBUTE_LOGIN] = {{"LOGIN", 5}, OF_XCLIENT, is_anything, NULL},
    [ATTRIBUTE_DESTADDR] = {{"DESTADDR", 8}, OF_XCLIENT, is_address, NULL},
    [ATTRIBUTE_DESTPORT] = {{"DESTPORT", 8}, OF_XCLIENT, is_port, NULL},
    [ATTRIBUTE_IDENT] = {{"IDENT", 5}, OF_XFORWARD, NULL, is_anything},
    [ATTRIBUTE_SOURCE] = {{"SOURCE", 6}, OF_XFORWARD, NULL, is_source},
};

static bool is_host(struct str value)
{
    return domain_is_valid(value, false);
}

static struct str without_prefix(struct str value)
{
    return str_starts_with_nocase(value, STR("IPV6:")) ? str_skip(value, 5) : value;
}

static bool is_address(struct str value)
{
    struct network_address a;
    return network_address_parse(&a, without_prefix(value));
}

static bool is_port(struct str value)
{
    uint32_t port;
    return str_to_u32(value, &port) && port <= UINT16_MAX;
}

static bool is_protocol(struct str value)
{
    return str_equal_nocase(value, STR("SMTP")) || str_equal_nocase(value, STR("ESMTP"));
}

static bool is_source(struct str value)
{
    return str_equal_nocase(value, STR("LOCAL")) || str_equal_nocase(value, STR("REMOTE"));
}

static bool is_anything(struct str value)
{
    (void)value;
    return true;
}

void smtp_attributes_announce(enum smtp_attribute_command command, struct buf *out)
{
    for (size_t i = 0; i < ATTRIBUTES; i++)
        if (table[i].commands & (int)command)
            buf_printf(out, " %s", table[i].name.p);
}

/* NULL: no such attribute in this command. */
static const struct attribute *find(struct str name, enum smtp_attribute_command command)
{
    for (size_t i = 0; i < ATTRIBUTES; i++)
        if ((table[i].commands & (int)command) && str_equal_nocase(name, table[i].name))
            return &table[i];
    return NULL;
}

static void make_harmless(struct str text)
{
    for (char *c = (char *)text.p; c < text.p + text.n; c++)
        if (*c <= ' ' || *c > 126 || strchr("\"\\<>()", *c))
            *c = '?';
}

static bool parse_word(struct smtp_attributes *x, enum smtp_attribute_command command,
                       struct arena *a, struct str word)
{
    struct str name = str_split(&word, '='), text;
    const struct attribute *attribute = find(name, command);
    if (!attribute || word.n == 0 || word.n > SMTP_ATTRIBUTE_MAX || !xtext_decode(a, word, &text))
        return false;
    enum smtp_attribute_state state = ATTRIBUTE_VALUE;
    if (str_equal_nocase(text, STR("[UNAVAILABLE]")))
        state = ATTRIBUTE_UNAVAILABLE;
    else if (str_equal_nocase(text, STR("[TEMPUNAVAIL]")))
        state = ATTRIBUTE_TEMPORARY;
    check_function *check = command == OF_XCLIENT ? attribute->of_xclient : attribute->of_xforward;
    if (state == ATTRIBUTE_VALUE && !check(text))
        return false;
    make_harmless(text);
    if (check == is_address)
        text = without_prefix(text);
    x->of[attribute - table].state = state;
    x->of[attribute - table].text = text;
    return true;
}

bool smtp_attributes_parse(struct smtp_attributes *x, enum smtp_attribute_command command,
                           struct arena *a, struct str text, struct str *wrong)
{
    struct smtp_attributes parsed = *x;
    size_t count = 0;
    while ((*wrong = str_word(&text)).p && parse_word(&parsed, command, a, *wrong))
        count++;
    if (wrong->p || count == 0)
        return false;
    *x = parsed;
    return true;
}

const char *smtp_attributes_get(const struct smtp_attributes *x, enum smtp_attribute attribute)
{
    return x->of[attribute].state == ATTRIBUTE_VALUE ? x->of[attribute].text.p : NULL;
}

void smtp_attributes_copy(struct smtp_attributes *to, const struct smtp_attributes *from,
                          struct arena *a)
{
    *to = *from;
    for (size_t i = 0; i < ATTRIBUTES; i++)
        if (from->of[i].state == ATTRIBUTE_VALUE)
            to->of[i].text = arena_str(a, from->of[i].text);
}
