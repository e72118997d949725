/*
 * The snapshot of a mailbox that a session works on, 16 bytes a message.
 */
#include "pop3/maildrop.h"

#include "core/mem.h"
#include "store/uid_list.h"

#include <stdlib.h>

/* --- unique ids --- */

/* One variable: "%08Xu". */
struct variable {
    char letter;
    bool zeros, hex;
    uint32_t width;
};

#define WIDTH_MAX 20

/* Cuts the variable at the start of *format. */
static bool take_variable(struct str *format, struct variable *v)
{
    *v = (struct variable){0};
    *format = str_skip(*format, 1);
    if (format->n > 0 && format->p[0] == '0') {
        v->zeros = true;
        *format = str_skip(*format, 1);
    }
    while (format->n > 0 && format->p[0] >= '0' && format->p[0] <= '9' && v->width <= WIDTH_MAX) {
        v->width = v->width * 10 + (uint32_t)(format->p[0] - '0');
        *format = str_skip(*format, 1);
    }
    if (format->n > 0 && format->p[0] == 'X') {
        v->hex = true;
        *format = str_skip(*format, 1);
    }
    v->letter = format->n > 0 ? format->p[0] : 0;
    *format = str_skip(*format, 1);
    return v->letter && strchr("uvfg%", v->letter) && v->width <= WIDTH_MAX;
}

bool maildrop_check_format(struct str format, struct err *e)
{
    struct variable v;
    bool unique = false;

    while (format.n > 0) {
        if ((unsigned char)format.p[0] <= ' ' || (unsigned char)format.p[0] >= 0x7f)
            return err_set(e, ERR_SYNTAX, "a unique id has no blanks");
        if (format.p[0] != '%') {
            format = str_skip(format, 1);
            continue;
        }
        if (!take_variable(&format, &v))
            return err_set(e, ERR_SYNTAX, "it knows %%u, %%v, %%f and %%g, as in %%08Xu");
        unique |= v.letter == 'u' || v.letter == 'f' || v.letter == 'g';
    }
    return unique || err_set(e, ERR_SYNTAX, "without %%u, %%f or %%g it is the same for all");
}

static void add_number(struct buf *b, const struct variable *v, uint32_t number)
{
    int width = (int)v->width;

    if (v->hex && v->zeros)
        buf_printf(b, "%0*x", width, number);
    else if (v->hex)
        buf_printf(b, "%*x", width, number);
    else if (v->zeros)
        buf_printf(b, "%0*u", width, number);
    else
        buf_printf(b, "%*u", width, number);
}

/* file: NULL for a format without %f and %g. */
static void add_formatted(struct buf *b, const struct maildrop *d, uint32_t uid,
                          const struct message_pop3 *file)
{
    struct str format = d->format;
    struct variable v;

    while (format.n > 0) {
        if (format.p[0] != '%') {
            buf_add_char(b, format.p[0]);
            format = str_skip(format, 1);
            continue;
        }
        take_variable(&format, &v);
        if (v.letter == 'u' || v.letter == 'v')
            add_number(b, &v, v.letter == 'u' ? uid : d->uid_validity);
        else if (v.letter == '%')
            buf_add_char(b, '%');
        else if (file)
            buf_add_str(b, v.letter == 'f' ? file->base : file->guid);
    }
}

static bool needs_file(struct str format)
{
    struct variable v;
    bool needs = false;

    while (format.n > 0) {
        if (format.p[0] != '%')
            format = str_skip(format, 1);
        else if (take_variable(&format, &v))
            needs |= v.letter == 'f' || v.letter == 'g';
    }
    return needs;
}

static void take_unique_id(struct maildrop *d, struct maildrop_message *m,
                           const struct message_pop3 *file)
{
    m->unique_id = (uint32_t)d->texts.n + 1;
    if (!file->has_uidl)
        add_formatted(&d->texts, d, m->uid, file);
    else
        buf_add_str(&d->texts, file->uidl.n > 0 ? file->uidl : file->base);
    buf_add_char(&d->texts, '\0');
}

/* --- taking --- */

struct ordered {
    struct maildrop_message message;
    uint32_t order;
};

static int compare_order(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;

    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return x->message.uid < y->message.uid ? -1 : x->message.uid > y->message.uid;
}

/* Those without an order come last. */
static void sort(struct maildrop *d, const uint32_t *orders)
{
    struct ordered *all = mem_array(d->count, sizeof(*all));

    for (size_t i = 0; i < d->count; i++)
        all[i] = (struct ordered){d->messages[i], orders[i]};
    qsort(all, d->count, sizeof(*all), compare_order);
    for (size_t i = 0; i < d->count; i++)
        d->messages[i] = all[i].message;
    free(all);
}

void maildrop_take(struct maildrop *d, uint32_t uid_validity, struct str format,
                   const struct message *messages, size_t count)
{
    bool files = needs_file(format), ordered = false;
    uint32_t *orders = mem_array(count ? count : 1, sizeof(*orders));

    *d = (struct maildrop){
        .uid_validity = uid_validity, .format = format, .count = count, .left = count};
    d->messages = mem_array(count ? count : 1, sizeof(*d->messages));
    for (size_t i = 0; i < count; i++) {
        struct message_pop3 file = {0};
        d->messages[i] =
            (struct maildrop_message){.size = messages[i].size_crlf, .uid = messages[i].uid};
        d->octets += messages[i].size_crlf;
        if (messages[i].file)
            message_get_pop3(&messages[i], &file);
        orders[i] = file.has_order ? file.order : UINT32_MAX;
        ordered |= file.has_order;
        if ((files || file.has_uidl) && d->texts.n < UINT32_MAX - 1000)
            take_unique_id(d, &d->messages[i], &file);
    }
    if (ordered)
        sort(d, orders);
    free(orders);
}

void maildrop_free(struct maildrop *d)
{
    free(d->messages);
    buf_free(&d->texts);
    *d = (struct maildrop){0};
}

struct maildrop_message *maildrop_find(const struct maildrop *d, struct str number)
{
    uint64_t n;
    if (!str_to_u64(number, &n) || n < 1 || n > d->count)
        return NULL;
    struct maildrop_message *m = &d->messages[n - 1];
    return m->deleted ? NULL : m;
}

size_t maildrop_number(const struct maildrop *d, const struct maildrop_message *m)
{
    return (size_t)(m - d->messages) + 1;
}

void maildrop_delete(struct maildrop *d, struct maildrop_message *m)
{
    m->deleted = true;
    d->left--;
    d->octets -= m->size;
}

void maildrop_undelete_all(struct maildrop *d)
{
    d->left = d->count;
    d->octets = 0;
    for (size_t i = 0; i < d->count; i++) {
        d->messages[i].deleted = false;
        d->octets += d->messages[i].size;
    }
}

uint32_t *maildrop_deleted(const struct maildrop *d, size_t *count)
{
    uint32_t *uids = mem_array(d->count - d->left + 1, sizeof(*uids));
    *count = 0;
    for (size_t i = 0; i < d->count; i++)
        if (d->messages[i].deleted)
            uids[(*count)++] = d->messages[i].uid;
    qsort(uids, *count, sizeof(*uids), uid_compare);
    return uids;
}

void maildrop_add_unique_id(const struct maildrop *d, const struct maildrop_message *m,
                            struct buf *b)
{
    if (m->unique_id > 0)
        buf_add_c(b, d->texts.p + m->unique_id - 1);
    else
        add_formatted(b, d, m->uid, NULL);
}
