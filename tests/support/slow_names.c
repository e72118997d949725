/* Name services that take MAILD_SLOW_SECONDS to tell the name of the user MAILD_SLOW_UID. */
#include <dlfcn.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

int getpwuid_r(uid_t uid, struct passwd *entry, char *text, size_t size, struct passwd **found)
{
    int (*next)(uid_t, struct passwd *, char *, size_t, struct passwd **) =
        dlsym(RTLD_NEXT, "getpwuid_r");
    const char *slow = getenv("MAILD_SLOW_UID"), *seconds = getenv("MAILD_SLOW_SECONDS");
    if (slow && seconds && (uid_t)strtoul(slow, NULL, 10) == uid)
        sleep((unsigned)strtoul(seconds, NULL, 10));
    return next(uid, entry, text, size, found);
}
