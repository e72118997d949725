#pragma once
/*
 * Whose keys are in a Kerberos keytab. The keys themselves are for the Kerberos library alone,
 * which reads the file by itself. Private to auth.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"

/* "imap/mail.example.test@EXAMPLE.TEST" */
struct keytab_name {
    struct str service, host, realm;
};

struct keytab {
    struct keytab_name *names; /* names of two parts, each once, in the order of the file */
    size_t count;
};

#define KEYTAB_SIZE_MAX ((size_t)1024 * 1024)

/* Strings are copied to a. ERR_SYNTAX: it is no keytab, or damaged. */
bool keytab_parse(struct str bytes, struct arena *a, struct keytab *keytab, struct err *e);
