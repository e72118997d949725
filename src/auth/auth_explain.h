#pragma once
/*
 * A login that lets nobody in and counts for nothing, told step by step: for mailctl.
 */
#include "auth/auth.h"
#include "auth/directory_trace.h"

enum auth_step_result {
    AUTH_STEP_OK,
    AUTH_STEP_REFUSED,
    AUTH_STEP_FAILED, /* cannot be told now */
};
/* "ok", "refused", "failed". */
const char *auth_step_result_name(enum auth_step_result result);

struct auth_step {
    const char *name; /* "login", "password", ... */
    enum auth_step_result result;
    struct str text;                       /* for people */
    usec took;                             /* 0: it costs nothing */
    const struct directory_report *report; /* of a look-up; else NULL */
    struct lookup_trace trace;             /* of a password */
};

struct auth_explanation {
    struct auth_step *steps;
    size_t count;
    enum auth_step_result result;  /* of the whole: the first that is not OK */
    struct str reason;             /* as in the log, one word; FAILED: the text */
    const struct account *account; /* who would be logged in; NULL: nobody */
};

/* In the order of auth_login, and on beyond a refusal as far as it makes sense. The account is
 * looked up past the cache. All in arena. */
SUSPENDS void auth_explain(struct auth *a, const struct auth_peer *peer, struct str user,
                           struct str password, struct arena *arena, struct auth_explanation *x);
