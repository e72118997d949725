#pragma once
/*
 * What init makes, as decided from the command line.
 */
#include "mailctl/mailctl.h"

#include <sys/types.h>

struct instance_user {
    struct str login; /* with its domain */
    const char *password;
};

struct instance {
    struct arena *arena;
    const char *config_path;
    const char *data_dir, *run_dir, *log_dir, *tls_dir, *maildrop; /* absolute */
    const char *certificate, *key, *database;
    bool relative; /* paths in the configuration are relative to its folder */
    unsigned port_base;
    bool demo; /* a port base was given: loopback only */
    const char *hostname;
    const char *run_as; /* "": nobody else */
    uid_t uid;
    gid_t gid;
    struct str *domains;
    size_t domain_count;
    struct instance_user *users;
    size_t user_count;
};

/* The text of maild.conf. */
void init_add_config(struct buf *b, const struct instance *i);
/* Makes the directory database with domains, users, postmaster and abuse. Runs a loop of its own.
 */
bool init_make_directory(const struct instance *i, struct err *e);
