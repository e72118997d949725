#pragma once
/*
 * Parameters of MAIL and RCPT (RFC 5321 4.1.1.11): one row each in the table of smtp_parameter.c.
 */
#include "smtp/session.h"

enum smtp_parameter_place { SMTP_PARAMETER_OF_MAIL = 1, SMTP_PARAMETER_OF_RCPT = 2 };

enum smtp_parameter_result {
    SMTP_PARAMETER_TAKEN,
    SMTP_PARAMETER_MALFORMED, /* 501 is to be said */
    SMTP_PARAMETER_REFUSED,   /* a reply was sent */
};

struct smtp_parameter_call {
    struct smtp_session *session;
    struct smtp_transaction *transaction; /* in MAIL not the session's yet */
    struct envelope_recipient *recipient; /* NULL in MAIL */
    struct str value; /* borrowed: keep copies in the transaction's arena; p is NULL without "=" */
};

typedef enum smtp_parameter_result smtp_parameter_function(const struct smtp_parameter_call *c);

struct smtp_parameter {
    struct str name;
    int places;    /* enum smtp_parameter_place */
    int protocols; /* SMTP_ON_... */
    smtp_parameter_function *take;
};

/* Takes all parameters behind the path. False: a reply was sent, and the command has failed. */
SUSPENDS bool smtp_parameters_take(struct smtp_session *s, struct smtp_transaction *t,
                                   struct envelope_recipient *recipient, struct str parameters);
