#pragma once
/*
 * Allocation that does not return NULL: out of memory is logged and ends the process, as a crash
 * would, and the journal brings everything back. mem_array checks the multiplication.
 */
#include <stddef.h>

void *mem_alloc(size_t n);                  /* uninitialised */
void *mem_zero(size_t n);                   /* zeroed */
void *mem_array(size_t count, size_t size); /* zeroed */
void *mem_resize(void *p, size_t n);
char *mem_dup(const char *p, size_t n); /* copy with a NUL behind it */

#define MEM_NEW(type) ((type *)mem_zero(sizeof(type)))
