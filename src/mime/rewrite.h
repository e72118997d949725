#pragma once
/*
 * Addresses of a header field replaced in place: names, comments, folding, groups and everything
 * that is no address stay byte for byte. Pure; does not suspend.
 */
#include "core/buf.h"

/* Appends the new form of local@domain (without quotes and escapes) to *text, as it may stand in a
 * field. False: it stays. */
typedef bool address_rewrite_fn(void *arg, struct str local, struct str domain, struct buf *text);

/* Appends the value of an address field to *out. Returns how many addresses were replaced. */
size_t address_list_rewrite(struct buf *out, struct str value, address_rewrite_fn *fn, void *arg);
