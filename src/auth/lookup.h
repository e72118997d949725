#pragma once
/*
 * The answer of a look-up. TEMPFAIL: nobody can tell now, and it may not be folded into "not
 * found": senders get 4xx, users "try later".
 */
enum lookup { LOOKUP_FOUND, LOOKUP_NOT_FOUND, LOOKUP_TEMPFAIL };
