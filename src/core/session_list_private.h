#pragma once
/*
 * The registry of sessions as its own files see it: session_list.c,
 * session_login.c, session_walk.c.
 */
#include "core/session_list.h"

#include <stdint.h>

#define ADDRESS_KEY 16
#define KINDS_MAX   16

struct address_count {
    struct address_count *next;
    uint8_t key[ADDRESS_KEY];
    size_t count;
};

struct kind_count {
    const struct session_kind *kind;
    size_t count;
};

/* The sessions of one login with one protocol, oldest first. */
struct login_count {
    struct login_count *next;
    struct session_entry *first;
    const struct session_kind *kind;
    size_t count;
    char login[];
};

struct session_list {
    struct session_entry *first, *last;
    struct session_entry *cursor; /* next one to kick */
    struct session_entry *sweep;  /* next one that session_list_kick_silent looks at */
    struct session_walk *walks;
    size_t count, strangers, pages;
    struct kind_count kinds[KINDS_MAX];
    bool shed;
    uint64_t shed_count;
    struct session_limits limits;
    bool refuse;
    struct cond empty;
    struct address_count **chains;
    size_t chain_count, addresses;
    struct login_count **login_chains;
    size_t login_chain_count, logins;
    void (*login_changed)(void *arg, struct session_entry *entry);
    void *login_arg;
    uint64_t seed;
};

/* The entry leaves the list. */
void session_walk_pass(struct session_list *l, const struct session_entry *entry);

void session_login_init(struct session_list *l);
void session_login_free(struct session_list *l);
/* A session ends: the watcher is told; the name stays, for last words. */
void session_login_end(struct session_list *l, struct session_entry *entry);
/* Takes the entry away from its login, if it has one. */
void session_login_remove(struct session_list *l, struct session_entry *entry);
