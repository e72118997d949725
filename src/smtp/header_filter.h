#pragma once
/*
 * The header of a message while it arrives: each field is looked at once and given on, left out or
 * completed, before it reaches the spool. So a message of a gigabyte is never copied, and what
 * recipients get needs no second look. The body goes through untouched. Pure; does not suspend.
 *
 * Left out are Return-Path (final delivery writes it, RFC 5321 4.4) and an mbox "From " line at the
 * start; of submitted messages Bcc and Resent-Bcc as well. A line that is no field ends the header:
 * an empty line is put in front of it, so that everybody after us sees the same beginning of the
 * body.
 */
#include "smtp/refusal.h"

#include "core/buf.h"

struct rewriter;

struct header_rules {
    bool submission;           /* from our users: RFC 6409 */
    bool drop_sender;          /* Sender is left out: ours is added where it is needed */
    struct str domain;         /* completes addresses of submitted messages; "" : they stay */
    struct str login;          /* "" : none */
    struct str host;           /* our name in Received */
    bool refuse_broken;        /* a line that is no field */
    bool keep_authors;         /* facts.authors is wanted */
    struct rewriter *rewriter; /* NULL: addresses stay */
};

/* Whose the message says it is: values of fields with complete addresses, before rules rewrite
 * them; empty: there was none. */
struct header_authors {
    struct buf from, sender;               /* of several the first */
    struct buf resent_from, resent_sender; /* of the topmost block (RFC 5322 3.6.6) */
    unsigned sender_fields, resent_fields; /* Sender, Resent-From */
};

struct header_facts {
    unsigned fields, hops;
    unsigned from_fields, from_addresses;
    bool date, message_id, sender;
    bool tls_optional;     /* "TLS-Required: No" (RFC 8689 3) */
    bool from_valid;       /* one field, each of its addresses has a valid form */
    bool from_is_login;    /* its only address is the login's */
    bool broken;           /* a line was no field */
    struct buf identifier; /* of Message-ID without <>, of the first; for the log */
    struct buf visited;    /* addresses that we wrote into Delivered-To, each with LF */
    struct header_authors authors;
};

struct header_filter {
    struct header_rules rules;
    struct header_facts facts;
    struct smtp_refusal refusal;
    bool done; /* what follows is the body */
    /* Private: */
    bool inside_line, first_line; /* of the field */
    struct buf field;             /* the present one's lines */
    struct buf delivered_to;      /* the address of the field before, if it was Delivered-To */
    size_t size;
};

/* The strings of the rules are borrowed for the life of the filter. */
void header_filter_init(struct header_filter *f, const struct header_rules *rules);
void header_filter_free(struct header_filter *f);
/* Takes bytes of the stored form and appends what they become. Once done it is not to be called
 * with bytes of the body: returns how many it took. */
size_t header_filter_feed(struct header_filter *f, struct str bytes, struct buf *out);
/* The message ended. */
void header_filter_end(struct header_filter *f, struct buf *out);
/* Whether the message was here before, for this address. */
bool header_filter_was_visited(const struct header_filter *f, struct str address);
