#pragma once
/*
 * CRC-32C (Castagnoli): guards records on disk against damage, not against forgery.
 */
#include <stddef.h>
#include <stdint.h>

/* Continue with the result of the bytes before; 0 to begin. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
