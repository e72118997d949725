#pragma once
/*
 * How the file system under a path is mounted, and what is to be thought of it. Pure but for
 * doctor_mount_has_journal, which asks /sys and blocks.
 */
#include "mailctl/doctor.h"

struct doctor_mount {
    const char *type;    /* "ext4" */
    const char *options; /* ",rw,relatime,": of the mount and of the file system */
    const char *point, *source;
    const char *device; /* "254:0" */
};

/* From the text of /proc/PID/mountinfo; path is absolute and without links. Strings in a. */
bool doctor_mount_find(struct arena *a, struct str mountinfo, struct str path,
                       struct doctor_mount *m);
/* False: an ext4 that was made without one. */
bool doctor_mount_has_journal(struct arena *a, const struct doctor_mount *m);
void doctor_judge_mount(struct doctor_job *j, const char *path, const struct doctor_mount *m,
                        bool has_journal);
