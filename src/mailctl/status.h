#pragma once
/*
 * How the server is, for people: on one screen (status.c) and whole (status_long.c).
 */
#include "mailctl/mailctl.h"

void print_long_status(const json_t *status);
