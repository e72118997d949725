#pragma once
/*
 * Verdicts of doctor that are made from numbers alone.
 */
#include "mailctl/doctor.h"

/* What the kernel says of the clock (adjtimex). */
enum doctor_verdict doctor_judge_clock(int state, int status, struct str *text);
/* The clock against a time server's, of which so much is not certain. */
enum doctor_verdict doctor_judge_offset(usec ahead, usec uncertain);
/* A certificate, in seconds since 1970. */
enum doctor_verdict doctor_judge_lifetime(int64_t begins, int64_t expires, int64_t now);
