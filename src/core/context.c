/*
 * The first contents of a context's stack for context.S: what context_switch takes from it lets
 * it arrive in context_entry with the function and its argument in registers.
 */
#include "core/context.h"

#if CONTEXT_ASSEMBLY

#include <stdint.h>
#include <string.h>

void context_entry(void);

#ifdef __x86_64__
enum { WORD_R13 = 2, WORD_R12 = 3, WORD_RETURN = 6, WORDS = 8 };
#else
enum { WORD_X19 = 0, WORD_X20 = 1, WORD_X30 = 11, WORDS = 20 };
#endif

void context_make(struct context *c, void *stack, size_t size, void (*fn)(void *arg), void *arg)
{
    uintptr_t top = ((uintptr_t)stack + size) & ~(uintptr_t)15;
    uintptr_t *words = (uintptr_t *)top - WORDS;
    memset(words, 0, WORDS * sizeof *words);
#ifdef __x86_64__
    /* One word more than is popped: the stack must be a multiple of 16 in context_entry. */
    words++;
    words[WORD_R13] = (uintptr_t)fn;
    words[WORD_R12] = (uintptr_t)arg;
    words[WORD_RETURN] = (uintptr_t)context_entry;
#else
    words[WORD_X19] = (uintptr_t)arg;
    words[WORD_X20] = (uintptr_t)fn;
    words[WORD_X30] = (uintptr_t)context_entry;
#endif
    c->sp = words;
}

#endif
