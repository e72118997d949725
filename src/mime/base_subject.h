#pragma once
/*
 * The base subject of RFC 5256 2.1: without the marks of replies and forwards, and the names of
 * lists in brackets.
 */
#include "core/buf.h"

/* Appends the base subject of a decoded subject (UTF-8, unfolded; at most MIME_SUBJECT_MAX bytes of
 * it). True: it is that of a reply or a forward (RFC 5256, REFERENCES). */
bool base_subject(struct buf *out, struct str subject);
