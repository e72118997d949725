#pragma once
/*
 * Domain names as tables, routes and other lists of the configuration compare them.
 */
#include "core/buf.h"

/* Appends the name in lower case, as A-labels where there are such, without a dot at its end. */
void domain_add_folded(struct buf *b, struct str name);
