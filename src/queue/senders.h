#pragma once
/*
 * How much small mail of each sender is ready.
 */
#include <stddef.h>
#include <stdint.h>

struct senders {
    void *by_key; /* tsearch tree */
};

size_t senders_count(const struct senders *s, uint64_t key);
void senders_add(struct senders *s, uint64_t key);
void senders_remove(struct senders *s, uint64_t key);
