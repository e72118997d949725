/*
 * What is announced, and when: one table. RFC 3501 section 6.1.1; each extension with its RFC.
 */
#include "imap/session.h"
#include "imap/workaround.h"

enum when {
    ALWAYS,
    LOGGED_IN,      /* only after the login: clients need not see it before */
    STARTTLS_READY, /* TLS can be started here */
    LOGIN_REFUSED,  /* no password without TLS */
    LITERAL_PLUS,
    LITERAL_MINUS,
};

static const struct {
    const char *name;
    enum when when;
} capabilities[] = {
    {"IMAP4rev1", ALWAYS},            /* RFC 3501 */
    {"IMAP4rev2", ALWAYS},            /* RFC 9051 */
    {"LITERAL+", LITERAL_PLUS},       /* RFC 7888 */
    {"LITERAL-", LITERAL_MINUS},      /* RFC 7888 section 5 */
    {"SASL-IR", ALWAYS},              /* RFC 4959 */
    {"ID", ALWAYS},                   /* RFC 2971 */
    {"ENABLE", ALWAYS},               /* RFC 5161 */
    {"IDLE", ALWAYS},                 /* RFC 2177 */
    {"STARTTLS", STARTTLS_READY},     /* RFC 3501 6.2.1 */
    {"LOGINDISABLED", LOGIN_REFUSED}, /* RFC 3501 6.2.3 */
    {"COMPRESS=DEFLATE", LOGGED_IN},  /* RFC 4978 */
    {"NAMESPACE", LOGGED_IN},         /* RFC 2342 */
    {"CHILDREN", LOGGED_IN},          /* RFC 3348 */
    {"UNAUTHENTICATE", LOGGED_IN},    /* RFC 8437 */
    {"UNSELECT", LOGGED_IN},          /* RFC 3691 */
    {"UIDPLUS", LOGGED_IN},           /* RFC 4315 */
    {"MOVE", LOGGED_IN},              /* RFC 6851 */
    {"MULTIAPPEND", LOGGED_IN},       /* RFC 3502 */
    {"CATENATE", LOGGED_IN},          /* RFC 4469 */
    {"REPLACE", LOGGED_IN},           /* RFC 8508 */
    {"ESEARCH", LOGGED_IN},           /* RFC 4731 */
    {"SEARCHRES", LOGGED_IN},         /* RFC 5182 */
    {"WITHIN", LOGGED_IN},            /* RFC 5032 */
    {"SORT", LOGGED_IN},              /* RFC 5256 */
    {"SORT=DISPLAY", LOGGED_IN},      /* RFC 5957 */
    {"ESORT", LOGGED_IN},             /* RFC 5267 */
    {"CONTEXT=SEARCH", LOGGED_IN},    /* RFC 5267 */
    {"CONTEXT=SORT", LOGGED_IN},      /* RFC 5267 */
    {"MULTISEARCH", LOGGED_IN},       /* RFC 7377 */
    {"PARTIAL", LOGGED_IN},           /* RFC 9394 */
    {"I18NLEVEL=1", LOGGED_IN},       /* RFC 5255 */
    {"THREAD=REFERENCES", LOGGED_IN}, /* RFC 5256 */
    {"THREAD=REFS", LOGGED_IN},       /* draft-ietf-morg-inthread */
    {"THREAD=ORDEREDSUBJECT", LOGGED_IN},
    {"LIST-EXTENDED", LOGGED_IN}, /* RFC 5258 */
    {"LIST-STATUS", LOGGED_IN},   /* RFC 5819 */
    {"LIST-METADATA", LOGGED_IN}, /* RFC 9590 */
    {"METADATA", LOGGED_IN},      /* RFC 5464 */
    {"NOTIFY", LOGGED_IN},        /* RFC 5465 */
    {"SPECIAL-USE", LOGGED_IN},   /* RFC 6154 */
    {"CREATE-SPECIAL-USE", LOGGED_IN},
    {"STATUS=SIZE", LOGGED_IN}, /* RFC 8438 */
    {"CONDSTORE", LOGGED_IN},   /* RFC 7162 */
    {"QRESYNC", LOGGED_IN},     /* RFC 7162 */
    {"UTF8=ACCEPT", LOGGED_IN}, /* RFC 9755 */
    {"BINARY", LOGGED_IN},      /* RFC 3516 */
    {"OBJECTID", LOGGED_IN},    /* RFC 8474 */
    {"SAVEDATE", LOGGED_IN},    /* RFC 8514 */
    {"PREVIEW", LOGGED_IN},     /* RFC 8970 */
    {"UIDONLY", LOGGED_IN},     /* RFC 9586 */
    {"INPROGRESS", LOGGED_IN},  /* RFC 9585 */
    {"ACL", LOGGED_IN},         /* RFC 4314 */
    {"RIGHTS=kxte", LOGGED_IN},
    {"QUOTA", LOGGED_IN}, /* RFC 9208 */
    {"QUOTA=RES-STORAGE", LOGGED_IN},
    {"QUOTA=RES-MESSAGE", LOGGED_IN},
    {"QUOTA=RES-MAILBOX", LOGGED_IN},
};

static bool holds(enum when when, const struct imap_session *s)
{
    switch (when) {
    case ALWAYS:
        return true;
    case LOGGED_IN:
        return s->user != NULL;
    case STARTTLS_READY:
        return !s->user && !stream_is_tls(s->net.stream) &&
               s->net.service->listener->tls == SERVICE_TLS_STARTTLS;
    case LITERAL_PLUS:
        return !s->settings->literal_minus;
    case LITERAL_MINUS:
        return s->settings->literal_minus;
    case LOGIN_REFUSED:
        return !s->user && !session_is_secure(&s->net);
    }
    return false;
}

static void write_mechanisms(struct buf *out, const struct imap_session *s)
{
    struct auth_peer peer = imap_session_peer(s);
    struct str rest = str_from_c(sasl_mechanisms(s->context->auth, &peer)), mechanism;
    while ((mechanism = str_word(&rest)).p)
        buf_printf(out, " AUTH=%.*s", STR_ARG(mechanism));
}

/* RFC 7889, RFC 9738 */
static void write_limits(struct buf *out, const struct imap_settings *settings)
{
    buf_printf(out, " APPENDLIMIT=%lld", (long long)settings->append_size_max);
    if (settings->message_limit)
        buf_printf(out, " MESSAGELIMIT=%lld", (long long)settings->message_limit);
}

void imap_write_capabilities(struct buf *out, const struct imap_session *s)
{
    size_t start = out->n;
    for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++)
        if (holds(capabilities[i].when, s) &&
            !imap_workarounds_hide(s->workarounds, str_from_c(capabilities[i].name))) {
            if (out->n > start)
                buf_add_char(out, ' ');
            buf_add_c(out, capabilities[i].name);
        }
    if (s->user)
        write_limits(out, s->settings);
    if (!s->user)
        write_mechanisms(out, s);
}
