#pragma once
/*
 * Ctrl-C during long work: the work ends at the next step with ERR_CANCELLED and removes what is
 * unfinished. A second one ends the program at once.
 */
#include "core/clock.h"
#include "core/err.h"

void interrupt_catch(void);
/* As if somebody had interrupted it, after this time; 0: not any more. */
void interrupt_after(usec time);
bool is_interrupted(void);
/* "interrupted"; returns false. */
bool err_interrupted(struct err *e);
