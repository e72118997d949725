/*
 * Loading libcurl. The one that is built with OpenSSL, the same that the server uses: it is given
 * our trusted authorities, parsed long ago, instead of reading a bundle of its own for each
 * request.
 */
#include "net/http_curl.h"

#include <dlfcn.h>
#include <string.h>

#define LIBRARY "libcurl.so.4"

static bool find(void *library, const char *name, void *place, struct err *e)
{
    void *function = dlsym(library, name);
    memcpy(place, &function, sizeof(function));
    return function || err_set(e, ERR_PERM, LIBRARY " has no %s", name);
}

#define FIND(member, name) find(library, name, &c->member, e)

static bool find_all(struct http_curl *c, void *library, struct err *e)
{
    return FIND(global_init, "curl_global_init") && FIND(version_info, "curl_version_info") &&
           FIND(easy_init, "curl_easy_init") && FIND(easy_cleanup, "curl_easy_cleanup") &&
           FIND(easy_strerror, "curl_easy_strerror") && FIND(easy_getinfo, "curl_easy_getinfo") &&
           FIND(easy_setopt, "curl_easy_setopt") && FIND(multi_init, "curl_multi_init") &&
           FIND(multi_cleanup, "curl_multi_cleanup") && FIND(multi_setopt, "curl_multi_setopt") &&
           FIND(multi_assign, "curl_multi_assign") &&
           FIND(multi_add_handle, "curl_multi_add_handle") &&
           FIND(multi_remove_handle, "curl_multi_remove_handle") &&
           FIND(multi_socket_action, "curl_multi_socket_action") &&
           FIND(multi_info_read, "curl_multi_info_read") &&
           FIND(slist_append, "curl_slist_append") && FIND(slist_free_all, "curl_slist_free_all") &&
           FIND(url, "curl_url") && FIND(url_cleanup, "curl_url_cleanup") &&
           FIND(url_set, "curl_url_set") && FIND(url_get, "curl_url_get") &&
           FIND(release, "curl_free");
}

bool http_curl_load(struct http_curl *c, struct err *e)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return err_set(e, ERR_PERM, "libcurl cannot be loaded (package libcurl4): %s", dlerror());
    if (!find_all(c, library, e))
        return false;
    if (c->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(e, ERR_PERM, "libcurl cannot be set up");
    const char *tls = c->version_info(CURLVERSION_NOW)->ssl_version;
    if (!tls || strncmp(tls, "OpenSSL/3", 9) != 0)
        return err_set(e, ERR_PERM, "libcurl is built with %s instead of OpenSSL 3",
                       tls ? tls : "nothing");
    return true;
}
