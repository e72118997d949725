#pragma once
/*
 * The client's message of OAUTHBEARER (RFC 7628 3.1) and XOAUTH2. Pure. Private to auth.
 */
#include "core/arena.h"
#include "core/err.h"

struct oauth_message {
    struct str user;  /* as whom to log in, as it came; "": as the token says */
    struct str token; /* borrowed from the text; "": none */
};

/* google: XOAUTH2. ERR_SYNTAX. */
bool oauth_message_parse(struct str text, bool google, struct arena *a, struct oauth_message *m,
                         struct err *e);
