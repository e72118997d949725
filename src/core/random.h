#pragma once
/*
 * Randomness from the kernel (getrandom). The only source of it; a test can seed it instead.
 */
#include "core/str.h"

void random_bytes(void *p, size_t n);
uint64_t random_u64(void);
/* Uniform below bound; bound > 0. */
uint64_t random_below(uint64_t bound);

/* An id as it stands in log lines and replies: 13 letters and digits, the first ones growing with
 * time, so ids sort by age; no vowels, so no words. */
#define ID_SIZE 14
void random_id(char id[ID_SIZE]);

/* For tests: a reproducible stream from this seed; 0 restores the kernel's. */
void random_seed(uint64_t seed);
