#pragma once
/*
 * Pages for mail clients that set themselves up: which servers and ports, from nothing but an
 * address. Thunderbird and others (autoconfig), Outlook (autodiscover), Apple's mail (a profile),
 * and a page for people. They hold nothing that is not in DNS or in the greeting of a port, ask for
 * no password, and are the same for every address of a domain: nobody learns who exists.
 *
 *   http_server.c  a connection: requests, answers, limits
 *   request.c      reading a request
 *   pages.c        which page a path is
 *   offers.c       which servers clients are told of, from the listeners
 *   thunderbird.c  outlook.c  apple.c  people.c
 */
#include "core/session_list.h"
#include "core/settings.h"
#include "net/service.h"
#include "net/stream.h"

struct directory;
struct loop;

struct autoconfig_settings {
    const char *host;         /* "" : the server's name */
    const char *display_name; /* "" : the domain */
    int user_name;            /* enum autoconfig_user_name */
};
enum autoconfig_user_name { USER_NAME_ADDRESS, USER_NAME_LOCAL_PART };
extern const struct settings_block autoconfig_settings_block; /* "autoconfig" */

struct http_context { /* outlives all sessions */
    struct loop *loop;
    struct session_list *sessions;
    struct directory *directory;
};

/* Takes the stream and a reference to the service. On the loop, not in a fiber. */
void http_accept(struct http_context *c, struct service *service, struct stream *stream);
