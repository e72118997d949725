#pragma once
/*
 * The structure of a message: one pass over its bytes gives a tree of parts with offsets, so that
 * any section can be cut out of the stored file later. Never fails: whatever the bytes, there is a
 * plausible structure (RFC 2045, 2046; broken boundaries, missing headers and bare line ends as
 * found in the wild). Pure: no I/O, does not suspend.
 *
 * Messages are stored with LF line ends (a message of another program may have CRLF): offsets and
 * sizes count stored bytes; `*_lf` counts LFs that are not preceded by CR, which is what has to be
 * added to get the size with CRLF as IMAP counts it.
 *
 * The section HEADER of the message is header_start .. header_end, TEXT is header_end .. body_end;
 * MIME of a part is its header, n.HEADER and n.TEXT are those of the message inside (children).
 */
#include "core/arena.h"
#include "core/buf.h"

struct mime_limits {
    unsigned
        depth_max; /* nested parts; deeper ones are text/plain leaves of their parent's bytes */
    unsigned parts_max; /* in all; further ones belong to the last part's body */
    size_t header_max;  /* bytes of one header block that are looked at */
};
extern const struct mime_limits mime_limits_default; /* 100, 10000, 256 KiB */

struct mime_parameter {
    struct str name;     /* as given, RFC 2231 sections joined and without their stars */
    struct str value;    /* without quotes and escapes; RFC 2231 values percent-decoded and in UTF-8
                            when their charset is known */
    struct str extended; /* the joined RFC 2231 form (charset'language'percent-encoded), which
                            BODYSTRUCTURE shows under the name with a star; p == NULL: none */
};

/* The parameter of that name (case does not matter; the RFC 2231 form is preferred); NULL: none. */
const struct mime_parameter *mime_parameter_find(const struct mime_parameter *parameters,
                                                 size_t count, struct str name);

struct mime_part {
    struct mime_part *parent, *children, *next;
    unsigned child_count;

    /* Offsets from the start of the message. */
    size_t header_start, header_end; /* header_end is behind the empty line */
    size_t body_end;                 /* the body is header_end .. body_end */
    size_t header_lf, body_lf;       /* bare LFs in them */
    size_t body_lines;               /* line ends in the body, counted as other servers do */

    /* Content-Type, defaulted as the RFCs say (text/plain; charset=us-ascii, message/rfc822 in a
     * digest). As in the header, not upper-cased. */
    struct str type, subtype;
    struct mime_parameter *parameters;
    size_t parameter_count;
    struct str id, description, md5,
        location;           /* raw header values unfolded; p == NULL: no such header */
    struct str encoding;    /* "7bit" when there is none */
    struct str disposition; /* p == NULL: none */
    struct mime_parameter *disposition_parameters;
    size_t disposition_parameter_count;
    struct str *languages;
    size_t language_count;

    bool is_multipart; /* multipart/... with at least one part found */
    bool is_message;   /* message/rfc822 or message/global, identity encoding: children is the one
                          message inside, a part of its own */
};

/* The message itself is the root part. Strings are copies or point into `message`: keep both the
 * arena and, if you use strings, the bytes. copy_strings: nothing points into `message`. */
struct mime_part *mime_parse(struct arena *a, struct str message, const struct mime_limits *limits,
                             bool copy_strings);

/* Number of part with the IMAP section path (RFC 3501 6.4.5), e.g. {1,2}; NULL when there is none.
 * "1" of a message that is not multipart is the message's body. An empty path is the root. */
const struct mime_part *mime_find_part(const struct mime_part *root, const unsigned *path,
                                       size_t length);

/* IMAP BODY / BODYSTRUCTURE (RFC 3501 7.4.2) of the part, appended to out: NIL, quoted strings and
 * literals, sizes with CRLF. extended: BODYSTRUCTURE. `message` is needed for envelopes of
 * message/rfc822 parts. With the parentheses around it. */
void mime_write_bodystructure(struct buf *out, const struct mime_part *part, struct str message,
                              bool extended);

/* The CRLF form of stored bytes: each LF without CR before it gets one. previous: last byte before
 * them (0 at the start). */
void mime_add_crlf(struct buf *out, struct str stored, char previous);
/* How many bytes that adds. */
size_t mime_crlf_size(struct str stored, char previous);

/* Content-Transfer-Encoding (base64, quoted-printable, else as it is): decoded bytes, never fails.
 */
void mime_decode_body(struct buf *out, struct str encoding, struct str body);
