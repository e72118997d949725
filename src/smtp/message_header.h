#pragma once
/*
 * What the settings ask of the header of a message, and the fields that are put in front of it: the
 * same for clients and for messages that a local program left (pickup.h). Pure.
 */
#include "core/arena.h"
#include "smtp/header_filter.h"

struct envelope;
struct smtp_settings;

/* Who hands in the message. */
struct message_origin {
    bool submission;   /* one of our users or programs: RFC 6409 */
    struct str login;  /* "" : none */
    struct str sender; /* of the envelope; "" : the null sender */
    struct str host;   /* our name */
    const char *id;    /* of the transaction */
};

/* Completes addresses of those who submit: the domain of the login, else what the settings say,
 * else our name. Of others: "". */
struct str message_domain(const struct smtp_settings *s, const struct message_origin *o);
/* The result borrows from both. */
struct header_rules message_rules(const struct smtp_settings *s, const struct message_origin *o);

/* After the header was read. */
bool message_check_header(const struct smtp_settings *s, const struct message_origin *o,
                          const struct header_facts *facts, struct smtp_refusal *r);
/* What its Message-ID is, or will be, without <>; "" : it has none. */
struct str message_identifier(const struct message_origin *o, const struct header_facts *facts,
                              struct arena *a);
/* Date, Message-ID, From and Sender, where a submitted message lacks them (RFC 6409 8). `now`:
 * seconds since 1970. */
void message_add_fields(struct buf *out, const struct smtp_settings *s,
                        const struct message_origin *o, const struct header_facts *facts,
                        int64_t now);
/* Delivered-To, for a message with one recipient here. */
void message_add_delivered_to(struct buf *out, const struct envelope *e);
