/*
 * The keytab format of MIT Kerberos (and all others), version 2: 0x0502, then entries, each with a
 * signed length of four bytes; a negative one is a hole of that size. All numbers are big-endian.
 *
 *   entry = count of components, realm, components, type of the name, time, version, key ...
 *
 * where realm and components are texts with a length of two bytes. What follows the components is
 * not read here.
 */
#include "auth/keytab.h"

#include "core/buf.h"

#define NAMES_MAX 200

static uint32_t read_number(struct reader *r, size_t bytes)
{
    uint32_t value = 0;
    while (bytes-- > 0)
        value = value << 8 | read_u8(r);
    return value;
}

static struct str read_text(struct reader *r)
{
    size_t n = read_number(r, 2);
    if (r->bad || n > r->n) {
        r->bad = true;
        return STR("");
    }
    struct str text = str_from(r->p, n);
    r->p += n;
    r->n -= n;
    return text;
}

static bool has(const struct keytab *k, const struct keytab_name *name)
{
    for (size_t i = 0; i < k->count; i++)
        if (str_equal(k->names[i].service, name->service) &&
            str_equal(k->names[i].host, name->host) && str_equal(k->names[i].realm, name->realm))
            return true;
    return false;
}

/* A name of the service at a host; others are for other programs. */
static bool read_entry(struct str entry, struct arena *a, struct keytab *k)
{
    struct reader r = {.p = entry.p, .n = entry.n};
    unsigned components = read_number(&r, 2);
    struct keytab_name name = {.realm = read_text(&r)};
    if (components == 2) {
        name.service = read_text(&r);
        name.host = read_text(&r);
    }
    if (r.bad)
        return false;
    if (components != 2 || k->count == NAMES_MAX || has(k, &name) || !str_is_utf8(name.service) ||
        !str_is_utf8(name.host) || !str_is_utf8(name.realm))
        return true;
    k->names[k->count++] = (struct keytab_name){arena_str(a, name.service), arena_str(a, name.host),
                                                arena_str(a, name.realm)};
    return true;
}

bool keytab_parse(struct str bytes, struct arena *a, struct keytab *keytab, struct err *e)
{
    struct reader r = {.p = bytes.p, .n = bytes.n};
    *keytab = (struct keytab){.names = arena_array(a, NAMES_MAX, sizeof(*keytab->names))};
    if (read_number(&r, 2) != 0x0502)
        return err_set(e, ERR_SYNTAX, "it is no keytab");
    while (r.n > 0 && !r.bad) {
        int64_t length = (int32_t)read_number(&r, 4);
        size_t n = (size_t)(length < 0 ? -length : length);
        if (r.bad || n > r.n || (length > 0 && !read_entry(str_from(r.p, n), a, keytab)))
            return err_set(e, ERR_SYNTAX, "the keytab is damaged");
        if (length == 0)
            break; /* the rest was never written */
        r.p += n;
        r.n -= n;
    }
    return !r.bad || err_set(e, ERR_SYNTAX, "the keytab is damaged");
}
