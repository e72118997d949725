/*
 * What a report says to people: for each recipient what happened, why, and what they can do, in
 * plain words chosen by the enhanced status code (RFC 3463, RFC 7372, RFC 7505), then the very
 * words of the remote server, which often help the most. Recipients of whom the same is to be said
 * are told of together. The table is read from the top: the first entry whose subject and detail
 * fit (the class is told by the action) gives the words.
 */
#include "mime/report_text.h"

#include "mime/date.h"
#include "mime/header.h"
#include "mime/text.h"

#include <stdlib.h>

enum { LINE_WIDTH = 72, SUBJECT_MAX = 200, SAID_MAX = 900, ANY = -1 };
/* Reasons that are explained, and addresses that are named, in the text of one report. */
enum { TEXT_GROUPS_MAX = 20, TEXT_ADDRESSES_MAX = 100 };

static const struct reason {
    int subject, detail;
    const char *because; /* "... could not be delivered because" */
    const char *advice;
} reasons[] = {
    {1, 1, "this address does not exist there.",
     "Check the address for spelling mistakes. If it looks right, ask the recipient another way "
     "for "
     "the address that is in use now."},
    {1, 2, "the domain of this address does not exist or takes no mail.",
     "Check what stands behind the @ for spelling mistakes."},
    {1, 10, "the domain of this address takes no mail.",
     "Check what stands behind the @ for spelling mistakes, or ask the recipient for another "
     "address."},
    {1, 3, "the address is not well-formed.", "Check the address for spelling mistakes."},
    {1, 6, "the recipient has moved and left no new address.",
     "Ask the recipient another way for the new address."},
    {1, 7, "your own address was refused as sender.",
     "Check the sender's address that is set in your mail program, or ask your postmaster."},
    {1, 8, "your own address was refused as sender.",
     "Check the sender's address that is set in your mail program, or ask your postmaster."},
    {1, ANY, "there is something wrong with the address.",
     "Check the address for spelling mistakes."},
    {2, 1, "the recipient's mailbox is switched off.",
     "Ask the recipient another way for an address that is in use."},
    {2, 2, "the recipient's mailbox is full.",
     "Let the recipient know another way, and send the message again later."},
    {2, 3, "the message is too large for the recipient.",
     "Send the message again without large attachments, or put them where the recipient can "
     "download them."},
    {2, ANY, "the recipient's mailbox did not take it.",
     "Ask the recipient another way, and send the message again later."},
    {3, 4, "the message is too large for the recipient's mail server.",
     "Send the message again without large attachments, or put them where the recipient can "
     "download them."},
    {3, 3, "the recipient's mail server cannot do what the message asks for.",
     "Send the message again without the special request; the technical words below name it."},
    {3, ANY, "the recipient's mail server has a problem of its own.",
     "Send the message again later. If that does not help, tell the recipient another way that "
     "mail does not arrive."},
    {4, 3, "the recipient's mail server could not be found: the name service did not answer.",
     "Check what stands behind the @ for spelling mistakes, and send the message again later."},
    {4, 4, "the recipient's mail server could not be found.",
     "Check what stands behind the @ for spelling mistakes."},
    {4, 6, "the message went round in a circle between mail servers.",
     "Tell the recipient another way, or ask your postmaster: a forwarding leads back to itself."},
    {4, ANY, "the recipient's mail server could not be reached in time.",
     "Send the message again later, or reach the recipient another way."},
    {6, 3,
     "the recipient's mail server takes only plain text, and this message cannot be converted.",
     "Send the message again in another form, for example as plain text without special "
     "characters."},
    {6, 7, "the recipient's mail server does not support international addresses.",
     "Use an address of plain letters, for you and for the recipient, if there is one."},
    {6, ANY, "the recipient's mail server cannot handle the form of the message.",
     "Send the message again in another form, for example as plain text."},
    {7, 1, "the recipient's mail server refused it by its rules.",
     "The words of that server below may tell why. If you think this is a mistake, tell the "
     "recipient another way."},
    {7, 10,
     "it was to go over protected connections only, and there is none to the recipient's mail "
     "server.",
     "Send the message again without requiring protection, or reach the recipient another way."},
    {7, 30,
     "it was to go over protected connections only, and the recipient's mail server does not "
     "promise that.",
     "Send the message again without requiring protection, or reach the recipient another way."},
    {7, ANY, "the recipient's mail server refused it for reasons of security.",
     "The words of that server below may tell why; show them to your postmaster."},
    {5, ANY, "the two mail servers did not understand each other.",
     "Show this message to your postmaster."},
    {ANY, ANY, "the recipient's mail server did not take it.",
     "The words of that server below may tell why; show them to your postmaster."},
};

/* "5.7.26" to 7 and 26; zeros when it is no status code. */
static void split_status(struct str status, int *subject, int *detail)
{
    uint32_t numbers[3] = {0, 0, 0};
    for (int i = 0; i < 3; i++) {
        struct str part = str_split(&status, '.');
        if (part.p == NULL || part.n > 3 || !str_to_u32(part, &numbers[i]))
            numbers[i] = 0;
    }
    *subject = (int)numbers[1];
    *detail = (int)numbers[2];
}

static const struct reason *find_reason(struct str status)
{
    int subject, detail;
    split_status(status, &subject, &detail);
    const struct reason *r = reasons;
    while ((r->subject != ANY && r->subject != subject) ||
           (r->detail != ANY && r->detail != detail))
        r++;
    return r;
}

/* Lines broken between words and indented; the last one is open. */
static void add_lines(struct buf *out, const char *indent, struct str text)
{
    size_t column = 0;
    struct str word;
    while (word = str_word(&text), word.p != NULL) {
        if (column > 0 && column + 1 + str_count_characters(word) > LINE_WIDTH) {
            buf_add_char(out, '\n');
            column = 0;
        }
        buf_add_c(out, column == 0 ? indent : " ");
        column += column == 0 ? strlen(indent) : 1;
        buf_add_str(out, word);
        column += str_count_characters(word);
    }
}

static void add_paragraph(struct buf *out, const char *indent, struct str text)
{
    add_lines(out, indent, text);
    buf_add_c(out, "\n\n");
}

void report_add_clean(struct buf *out, struct str s, size_t max)
{
    struct buf clean = BUF_EMPTY;
    text_add_unlabelled(&clean, str_trim(s));
    size_t start = out->n;
    bool space = false;
    for (size_t i = 0; i < clean.n; i++) {
        unsigned char c = (unsigned char)clean.p[i];
        if (c <= ' ' || c == 127) {
            space = true;
            continue;
        }
        bool starts_character = (c & 0xc0) != 0x80;
        if (starts_character && out->n - start + 5 > max)
            break;
        if (space && out->n > start)
            buf_add_char(out, ' ');
        space = false;
        buf_add_char(out, (char)c);
    }
    buf_free(&clean);
}

static void add_message_line(struct buf *out, const struct report *r)
{
    struct str value;
    struct arena *a = arena_new();
    if (header_find(r->original_header, STR("Subject"), &value)) {
        struct str subject = header_decode(a, value);
        buf_add_c(out, "  Subject: ");
        report_add_clean(out, subject, SUBJECT_MAX);
        buf_add_char(out, '\n');
    }
    arena_free(a);
    buf_add_c(out, "  Received here: ");
    date_write_header(out, r->arrival);
    buf_add_c(out, "\n\n");
}

/* Recipients of whom the same is to be said. */
struct group {
    const struct report_recipient *const *list;
    size_t count;
};

static void add_addressee(struct buf *text, const struct report_recipient *p)
{
    report_add_clean(text, p->address, SAID_MAX);
    if (p->passed_to.n > 0) {
        buf_add_c(text, ", which was passed on to ");
        report_add_clean(text, p->passed_to, SAID_MAX);
        buf_add_char(text, ',');
    }
}

static void add_what_happened(struct buf *text, const struct report *r, const struct group *g)
{
    const struct report_recipient *p = g->list[0];
    const struct reason *reason = find_reason(p->status);
    buf_add_c(text, r->to_postmaster ? "The message to " : "Your message to ");
    if (g->count == 1)
        add_addressee(text, p);
    else
        buf_printf(text, "%zu recipients", g->count);
    switch (p->action) {
    case REPORT_FAILED:
        buf_printf(text, " could not be delivered because %s", reason->because);
        break;
    case REPORT_DELAYED:
        buf_printf(text, " could not be delivered yet because %s", reason->because);
        break;
    case REPORT_DELIVERED:
        buf_add_c(text, g->count == 1 ? " was delivered to the mailbox."
                                      : " was delivered to their mailboxes.");
        break;
    case REPORT_RELAYED:
        buf_add_c(text, " was handed to the mail server ");
        report_add_clean(text, p->remote_host, SAID_MAX);
        buf_add_c(text, ". Whether it is delivered you will only hear if that server tells you.");
        break;
    case REPORT_EXPANDED:
        buf_add_c(text, " was delivered to a list and passed on to its members.");
        break;
    }
}

static int64_t first_attempt(const struct group *g)
{
    int64_t first = 0;
    for (size_t i = 0; i < g->count; i++) {
        int64_t next = g->list[i]->next_attempt;
        first = next && (!first || next < first) ? next : first;
    }
    return first;
}

static void add_what_to_do(struct buf *text, const struct report *r, const struct group *g)
{
    const struct report_recipient *p = g->list[0];
    if (p->action == REPORT_FAILED && !r->to_postmaster) {
        buf_printf(text, "What you can do: %s", find_reason(p->status)->advice);
    } else if (p->action == REPORT_DELAYED) {
        buf_add_c(text, "What you can do: nothing for now, and please do not send it again. "
                        "Delivery is tried again and again");
        if (p->will_retry_until > 0) {
            buf_add_c(text, " until ");
            date_write_header(text, p->will_retry_until);
        }
        buf_add_c(text, "; you will be told if it fails for good.");
        if (first_attempt(g) > 0) {
            buf_add_c(text, " The next attempt is made at ");
            date_write_header(text, first_attempt(g));
            buf_add_char(text, '.');
        }
    }
}

bool report_quotes_server(const struct report_recipient *p)
{
    struct str d = p->diagnostic;
    uint32_t code;
    return p->remote_host.n > 0 && d.n >= 3 && str_to_u32(str_head(d, 3), &code) && code >= 200 &&
           (d.n == 3 || d.p[3] == ' ' || d.p[3] == '-');
}

static void add_what_was_said(struct buf *out, const struct report_recipient *p)
{
    struct buf text = BUF_EMPTY;
    report_add_clean(&text, p->diagnostic, SAID_MAX);
    if (text.n > 0) {
        struct buf intro = BUF_EMPTY;
        if (report_quotes_server(p)) {
            buf_add_c(&intro, "The mail server ");
            report_add_clean(&intro, p->remote_host, SAID_MAX);
            buf_add_c(&intro, " said:");
        } else {
            buf_add_c(&intro, "In technical words:");
        }
        add_paragraph(out, "", buf_str(&intro));
        add_paragraph(out, "  ", buf_str(&text));
        buf_free(&intro);
    }
    buf_free(&text);
}

/* --- many recipients --- */

static bool says_the_same(const struct group *g)
{
    for (size_t i = 1; i < g->count; i++)
        if (!str_equal(g->list[i]->diagnostic, g->list[0]->diagnostic))
            return false;
    return true;
}

/* Each on a line of its own, with the words about it where they differ. */
static void add_addresses(struct buf *out, const struct group *g, bool with_words, size_t *room)
{
    size_t shown = g->count < *room ? g->count : *room;
    struct buf text = BUF_EMPTY;
    for (size_t i = 0; i < shown; i++) {
        const struct report_recipient *p = g->list[i];
        buf_add_c(out, "  ");
        report_add_clean(out, p->address, SAID_MAX);
        if (p->passed_to.n > 0) {
            buf_add_c(out, " (passed on to ");
            report_add_clean(out, p->passed_to, SAID_MAX);
            buf_add_char(out, ')');
        }
        buf_add_char(out, '\n');
        buf_clear(&text);
        report_add_clean(&text, p->diagnostic, SAID_MAX);
        if (with_words && text.n > 0) {
            add_lines(out, "      ", buf_str(&text));
            buf_add_char(out, '\n');
        }
    }
    *room -= shown;
    if (shown < g->count)
        buf_printf(out, "  ... and %zu more, which are named in the second part of this report\n",
                   g->count - shown);
    buf_add_char(out, '\n');
    buf_free(&text);
}

static void add_group(struct buf *out, const struct report *r, const struct group *g, size_t *room)
{
    struct buf text = BUF_EMPTY;
    bool failure = g->list[0]->action == REPORT_FAILED || g->list[0]->action == REPORT_DELAYED;
    bool same = g->count == 1 || says_the_same(g);
    add_what_happened(&text, r, g);
    add_paragraph(out, "", buf_str(&text));
    if (g->count > 1)
        add_addresses(out, g, failure && !same, room);
    buf_clear(&text);
    add_what_to_do(&text, r, g);
    if (text.n > 0)
        add_paragraph(out, "", buf_str(&text));
    buf_free(&text);
    if (failure && same)
        add_what_was_said(out, g->list[0]);
}

/* What is said of both recipients is the same, but for the words of the server. */
static int compare_recipients(const void *a, const void *b)
{
    const struct report_recipient *x = *(const struct report_recipient *const *)a;
    const struct report_recipient *y = *(const struct report_recipient *const *)b;
    const struct reason *rx = find_reason(x->status), *ry = find_reason(y->status);
    int order = (x->action > y->action) - (x->action < y->action);
    order = order ? order : (rx > ry) - (rx < ry);
    return order ? order : str_compare(x->remote_host, y->remote_host);
}

static int compare_in_order(const void *a, const void *b)
{
    const struct report_recipient *x = *(const struct report_recipient *const *)a;
    const struct report_recipient *y = *(const struct report_recipient *const *)b;
    int order = compare_recipients(a, b);
    return order ? order : (x > y) - (x < y);
}

static void add_groups(struct buf *out, const struct report *r)
{
    struct arena *a = arena_new();
    const struct report_recipient **list = arena_array(a, r->recipient_count + 1, sizeof(*list));
    size_t room = TEXT_ADDRESSES_MAX, groups = 0;
    for (size_t i = 0; i < r->recipient_count; i++)
        list[i] = &r->recipients[i];
    if (r->recipient_count > 0)
        qsort(list, r->recipient_count, sizeof(*list), compare_in_order);
    for (size_t i = 0, end; i < r->recipient_count; i = end) {
        for (end = i + 1; end < r->recipient_count; end++)
            if (compare_recipients(&list[i], &list[end]) != 0)
                break;
        if (++groups > TEXT_GROUPS_MAX) {
            buf_printf(out, "%zu more recipients are named in the second part of this report.\n\n",
                       r->recipient_count - i);
            break;
        }
        add_group(out, r, &(struct group){&list[i], end - i}, &room);
    }
    arena_free(a);
}

/* --- the whole --- */

static void add_intro(struct buf *out, const struct report *r)
{
    struct buf intro = BUF_EMPTY;
    buf_add_c(&intro, "This is the mail server ");
    report_add_clean(&intro, r->reporting_host, SAID_MAX);
    if (!r->to_postmaster) {
        buf_add_c(&intro, ", writing about a message you sent:");
    } else if (r->sender.n == 0) {
        buf_add_c(&intro, ", writing to its postmaster: a message without a sender, most likely a "
                          "report about another one, could not be delivered, and there is nobody "
                          "else to tell.");
    } else {
        buf_add_c(&intro, ", writing to its postmaster: a message could not be delivered, and its "
                          "sender ");
        report_add_clean(&intro, r->sender, SAID_MAX);
        buf_add_c(&intro, " cannot be told: ");
        report_add_clean(&intro, r->refusal, SAID_MAX);
    }
    add_paragraph(out, "", buf_str(&intro));
    buf_free(&intro);
}

void report_write_text(struct buf *out, const struct report *r)
{
    add_intro(out, r);
    add_message_line(out, r);
    add_groups(out, r);
    buf_printf(out,
               r->whole ? "%s message is attached.\n" : "The header of %s message is attached.\n",
               r->to_postmaster ? (r->whole ? "The" : "the") : (r->whole ? "Your" : "your"));
    if (r->queue_id.n > 0) {
        buf_add_c(out, r->to_postmaster
                           ? "Its number in the log: "
                           : "If you ask your postmaster for help, name this number: ");
        report_add_clean(out, r->queue_id, SUBJECT_MAX);
        buf_add_char(out, '\n');
    }
    if (r->contact.n > 0 && !r->to_postmaster) {
        buf_add_char(out, '\n');
        add_paragraph(out, "", r->contact);
    }
}

const char *report_subject(const struct report *r)
{
    static const char *const subjects[] = {
        [REPORT_FAILED] = "Your message could not be delivered",
        [REPORT_DELAYED] = "Your message has not been delivered yet",
        [REPORT_DELIVERED] = "Your message was delivered",
        [REPORT_RELAYED] = "Your message was passed on",
        [REPORT_EXPANDED] = "Your message was delivered to a list",
    };
    enum report_action worst = REPORT_EXPANDED;
    if (r->to_postmaster)
        return "A report of a failed delivery reaches nobody";
    for (size_t i = 0; i < r->recipient_count; i++)
        if (r->recipients[i].action < worst)
            worst = r->recipients[i].action;
    return subjects[worst];
}
