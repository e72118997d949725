#pragma once
/*
 * Private to core: a processor context on a stack of its own. A few instructions for x86-64 and
 * aarch64 (context.S), the ucontext functions with setjmp elsewhere (context_portable.c; also
 * chosen by defining MAILD_PORTABLE_CONTEXT).
 */
#include <stddef.h>

#if (defined __x86_64__ || defined __aarch64__) && !defined MAILD_PORTABLE_CONTEXT
#define CONTEXT_ASSEMBLY 1
struct context {
    void *sp; /* all else is saved on the stack */
};
#else
#define CONTEXT_ASSEMBLY 0
#include <setjmp.h>
#include <stdbool.h>
#include <ucontext.h>
struct context {
    jmp_buf jump;
    ucontext_t first;
    bool fresh;
    void (*fn)(void *arg);
    void *arg;
};
#endif

/* The first switch to *c calls fn(arg) on the stack; fn must not return. */
void context_make(struct context *c, void *stack, size_t size, void (*fn)(void *arg), void *arg);
/* Saves where we are in *from and goes on where *to was saved. */
void context_switch(struct context *from, struct context *to);
