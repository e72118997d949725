#pragma once
/*
 * xtext (RFC 3461 4): how parameters carry any text. "+" with two hexadecimal digits is a byte,
 * "+" and "=" do not stand for themselves. Pure.
 */
#include "core/arena.h"
#include "core/buf.h"

/* *text is in a. False: not xtext, or it holds a control character. */
bool xtext_decode(struct arena *a, struct str encoded, struct str *text);
void xtext_encode(struct buf *out, struct str text);
