#pragma once
/*
 * libsasl2 for this process, and which mechanisms are to be had. Private to auth.
 */
#include "auth/auth.h"
#include "core/buf.h"

#include <sasl/sasl.h>

enum {
    SASL_LIBRARY_CALLBACKS = 5,
    SASL_OFFERS = 32, /* different lists of mechanisms: peers differ in TLS, certificates, and the
                         service, which has a key or none */
};

struct sasl_library {
    sasl_callback_t callbacks[SASL_LIBRARY_CALLBACKS];
    struct buf mechanisms; /* those libsasl2 runs, separated by spaces */
    bool started;
    char *keytab;      /* that the Kerberos library reads; "": there was none at the start */
    bool has_kerberos; /* the plugin is there */
    struct {
        size_t set; /* of places in the table of mechanisms */
        char *text;
    } offers[SASL_OFFERS]; /* made at first use */
};

/* ERR_PERM names the mechanism that is missing. */
bool sasl_library_start(struct auth *a, struct err *e);
void sasl_library_stop(struct auth *a);

/* --- sasl.c --- */

bool sasl_name_is_known(struct str name);
/* The configuration does not leave it out. */
bool sasl_is_wanted(const struct auth *a, const char *name);

/* --- sasl_external.c --- */

bool sasl_certificate_name_is_known(struct str name);
