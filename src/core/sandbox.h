#pragma once
/*
 * What the process can still do after its start, whoever takes it over: files only below the paths
 * that are named here (Landlock), no other programs, no look into other processes, no part of the
 * kernel that a mail server never needs (seccomp). It cannot be undone, and threads that are made
 * later inherit it: call it before the first one. Blocking.
 */
#include "core/buf.h"
#include "core/err.h"

struct sandbox;

enum sandbox_access {
    SANDBOX_READ,
    SANDBOX_WRITE, /* and read; make, rename, link and remove files */
};

struct sandbox *sandbox_new(void);
/* NULL is allowed. */
void sandbox_free(struct sandbox *s);
/* The path and everything below it. What does not exist is left out. */
void sandbox_allow(struct sandbox *s, const char *path, enum sandbox_access access);

/* What of it the system has. */
struct sandbox_kind {
    bool files; /* Landlock of Linux 5.19, with renames between folders */
    bool calls; /* seccomp */
};
/* Enters it; calls: system calls are filtered, too. Parts that the system does not have are left
 * out, and *kind says so; *e: a part that it has was refused. */
bool sandbox_enter(struct sandbox *s, bool calls, struct sandbox_kind *kind, struct err *e);

/* The one part that is in force without the others: no program that it would run has more rights
 * than it has itself. */
bool sandbox_renounce_rights(struct err *e);

/* No core dumps of this process, whose memory holds keys, and no debugger of the same user. */
void sandbox_hide_memory(void);
