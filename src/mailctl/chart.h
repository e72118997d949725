#pragma once
/*
 * Small charts of text: a column is a character.
 */
#include "core/buf.h"

/* A column that is `value` of `most` high; value < 0: nothing is known, a blank. */
void chart_add(struct buf *b, int64_t value, int64_t most);
