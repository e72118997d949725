#pragma once
/*
 * What the files of the story share.
 */
#include "trace/story.h"

/* The event's first words are exactly these. */
bool event_is(const struct trace_event *event, const char *words);

/* story_follow.c: the story that begins with an id, or (id.n 0) with the request's mailbox and UID.
 */
bool story_follow(const struct story_request *r, struct str id, struct arena *a,
                  struct story *story, struct story_answer *answer, struct err *e);

/* story_own.c: leaves what the user may see. False: nothing. */
bool story_keep_own(struct story *story, struct str user, struct arena *a);
