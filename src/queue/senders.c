/*
 * A tree with those that have something.
 */
#include "queue/senders.h"

#include "core/mem.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>

struct sender {
    uint64_t key;
    size_t count;
};

static int compare(const void *a, const void *b)
{
    const struct sender *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

static struct sender *find(const struct senders *s, uint64_t key)
{
    const struct sender wanted = {.key = key};
    void *node = tfind(&wanted, &s->by_key, compare);
    return node ? *(struct sender **)node : NULL;
}

size_t senders_count(const struct senders *s, uint64_t key)
{
    const struct sender *found = find(s, key);
    return found ? found->count : 0;
}

void senders_add(struct senders *s, uint64_t key)
{
    struct sender *found = find(s, key);
    if (!found) {
        found = MEM_NEW(struct sender);
        found->key = key;
        void *node = tsearch(found, &s->by_key, compare);
        assert(node);
    }
    found->count++;
}

void senders_remove(struct senders *s, uint64_t key)
{
    struct sender *found = find(s, key);
    assert(found && found->count > 0);
    if (--found->count > 0)
        return;
    tdelete(found, &s->by_key, compare);
    free(found);
}
