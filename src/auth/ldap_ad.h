#pragma once
/*
 * Values as Active Directory has them: account flags, times, security identifiers, GUIDs, ranges of
 * values, the password attribute. Pure. Private to auth.
 */
#include "auth/ldap_client.h"
#include "core/buf.h"

/* userAccountControl, and msDS-User-Account-Control-Computed (MS-ADTS 2.2.16). */
#define AD_ACCOUNT_DISABLED 0x2u
#define AD_LOCKED_OUT       0x10u
#define AD_PASSWORD_EXPIRED 0x800000u

/* A number as directories write it, negative ones too. */
bool ldap_number_parse(struct str text, int64_t *value);

/* When an account ends, as clock_wall: FILETIME (accountExpires: 100 ns since 1601; 0 and 2^63-1:
 * never), GeneralizedTime (RFC 4517 3.3.13), or days since 1970 (shadowExpire; 0 and -1: never).
 * DEADLINE_NONE: never. False: it is none of these. */
bool ldap_expiry_parse(struct str text, usec *when);

/* A security identifier (MS-DTYP 2.4.2.2). */
bool ad_sid_is_valid(struct str sid);
/* The last number of it; sid is valid. */
uint32_t ad_sid_rid(struct str sid);
/* The same up to the last number. */
bool ad_sid_same_domain(struct str a, struct str b);
/* The sid of another object of its domain, in arena a. */
struct str ad_sid_sibling(struct arena *a, struct str sid, uint32_t rid);

/* "01234567-89ab-..." of 16 bytes in the order of objectGUID (MS-DTYP 2.3.4); of other values,
 * which are text, the text in lower case. */
struct str ldap_id_text(struct arena *a, struct str value);

/* The password in quotes as UTF-16, little-endian (MS-ADTS 3.1.1.3.1.5). False: no UTF-8. b holds a
 * secret then. */
bool ad_password_value(struct buf *b, struct str password);

/* "member;range=0-1499": first and last; *last == SIZE_MAX for "*", the end. False: there is no
 * range in this name. */
bool ad_range_parse(struct str name, size_t *first, size_t *last);

/* The word for account.no_login by what the entry says at this time, NULL: it may log in.
 * *disabled: mail for it is a question of the setting, too. */
const char *ad_no_login(const struct ldap_entry *entry, bool *disabled);
