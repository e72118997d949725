#pragma once
/*
 * Every limit of this folder, with what the RFCs ask for beside it. Beyond a limit nothing fails:
 * the rest of the input is left uninterpreted (addresses of the envelope excepted, those are
 * refused).
 */

/* Addresses of the envelope, in bytes. RFC 5321 4.5.3.1 asks for 64, 255 and 256 at least and for
 * more if possible: return paths of mailing lists and forwarders (VERP, BATV, SRS) often have local
 * parts of more than 64. */
#define ADDRESS_LOCAL_MAX  255
#define ADDRESS_DOMAIN_MAX 255
#define ADDRESS_LABEL_MAX  63   /* of one label of the domain, RFC 1035 */
#define ADDRESS_MAX        320  /* local part, @ and domain */
#define ADDRESS_TEXT_MAX   1024 /* as written, with a source route and quoting */

/* A message. Real ones stay far below all of these. */
#define MIME_DEPTH_MAX      100               /* nested parts */
#define MIME_PARTS_MAX      10000             /* in all */
#define MIME_HEADER_MAX     (256 * 1024)      /* bytes of a header block that are interpreted */
#define MIME_PARAMETERS_MAX 128               /* of one field, RFC 2231 sections counted singly */
#define MIME_PARAMETERS_ALL 50000             /* of all parts of a message */
#define MIME_STRUCTURE_MAX  (8 * 1024 * 1024) /* of BODYSTRUCTURE; envelopes beyond it are empty */
#define MIME_LANGUAGES_MAX  32                /* of Content-Language */
#define MIME_ADDRESSES_MAX  20000             /* of one field */
#define MIME_CHARSET_MAX    64                /* bytes of a charset's name */
#define MIME_DATE_MAX       256               /* bytes of a date that are looked at */
#define MIME_PREVIEW_MAX    (64 * 1024)       /* of a body that are looked at for its preview */
#define MIME_SUBJECT_MAX    (8 * 1024)        /* bytes of a subject, for its base */

/* Reports. With more recipients than the first number, the words about each are cut. */
#define REPORT_FULL_MAX    200
#define REPORT_WORDS_SHORT 120
