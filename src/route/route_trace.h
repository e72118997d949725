#pragma once
/*
 * What was asked to find out where mail for an address goes, step by step, and what was answered:
 * for operators (mailctl address explain).
 */
#include "route/route.h"

struct route_trace_step {
    unsigned depth;       /* addresses that led here are further out */
    struct str address;   /* that was asked about */
    const char *question; /* "listed address", "account" ... */
    bool decides;         /* no further question about this address */
    struct str answer;    /* in words */
};

/* Steps beyond these are counted only. */
#define ROUTE_TRACE_MAX 1000

struct route_trace {
    struct arena *arena; /* set by who asks: that of the question */
    struct route_trace_step *steps;
    size_t count, capacity;
    size_t left_out;
};

/* route_recipient, and how it came about. What it finds wrong goes into the trace alone, not into
 * the log. */
SUSPENDS struct route *route_recipient_traced(struct router *r, struct str address,
                                              struct route_trace *trace, struct arena *a);

/* "mailbox", "relay", "remote", "dropped", "host", "waiting", "public". */
const char *route_target_kind_name(enum route_target_kind kind);
