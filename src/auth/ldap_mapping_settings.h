#pragma once
/*
 * The settings of an `ldap` block that say what stands where in the directory. Private to auth.
 */
#include "core/settings.h"

/* What a preset has a value for, and a setting of the same name replaces. */
enum ldap_field {
    LDAP_USER_BASE,
    LDAP_USER_SCOPE,
    LDAP_USER_FILTER,
    LDAP_LOGIN_FILTER,
    LDAP_ADDRESS_FILTER,
    LDAP_USER_ATTRIBUTE,
    LDAP_ID_ATTRIBUTE,
    LDAP_NAME_ATTRIBUTE,
    LDAP_MAIL_ATTRIBUTE,
    LDAP_ALIAS_ATTRIBUTE,
    LDAP_FORWARD_ATTRIBUTE,
    LDAP_DELIVERY_ATTRIBUTE,
    LDAP_QUOTA_ATTRIBUTE,
    LDAP_QUOTA_UNIT,
    LDAP_QUOTA_MESSAGES_ATTRIBUTE,
    LDAP_STATUS_ATTRIBUTE,
    LDAP_STATUS_ACTIVE,
    LDAP_STATUS_NO_LOGIN,
    LDAP_STATUS_DEFER,
    LDAP_STATUS_REFUSE,
    LDAP_EXPIRES_ATTRIBUTE,
    LDAP_ACCOUNT_CONTROL,
    LDAP_DISABLED_ACCOUNTS_RECEIVE,
    LDAP_MAIL_HOST_ATTRIBUTE,
    LDAP_PROTOCOLS_ATTRIBUTE,
    LDAP_HOME_ATTRIBUTE,
    LDAP_HOME,
    LDAP_GROUP_BASE,
    LDAP_GROUP_SCOPE,
    LDAP_GROUP_FILTER,
    LDAP_GROUP_ADDRESS_FILTER,
    LDAP_GROUP_NAME_ATTRIBUTE,
    LDAP_GROUP_MAIL_ATTRIBUTE,
    LDAP_GROUP_ALIAS_ATTRIBUTE,
    LDAP_GROUP_INTERNAL_ATTRIBUTE,
    LDAP_MEMBER_ATTRIBUTE,
    LDAP_MEMBER_NAME_ATTRIBUTE,
    LDAP_MEMBER_ADDRESS_ATTRIBUTE,
    LDAP_MEMBER_OF_ATTRIBUTE,
    LDAP_MEMBERSHIP_FILTER,
    LDAP_NESTED_GROUPS,
    LDAP_PRIMARY_GROUP,
    LDAP_DN_ATTRIBUTE,
    LDAP_ALIAS_BASE,
    LDAP_ALIAS_FILTER,
    LDAP_ALIAS_MEMBER_ATTRIBUTE,
    LDAP_PASSWORD_CHANGE,
    LDAP_FIELDS,
};

/* The settings of a block that are about this. */
struct ldap_mapping_settings {
    int preset;
    const char *base;                   /* of all searches that have none of their own */
    struct string_list domains;         /* that the directory serves; empty: all */
    const char *default_domain;         /* "": the first of domains */
    const char *fields[LDAP_FIELDS];    /* "": as the preset has it; "none": nothing */
    bool upn_addresses;                 /* userPrincipalName is an address, too */
    bool keep_copy;                     /* of forwarded mail, where the entry does not say */
    struct string_list local_hosts;     /* in the mail host's attribute: this server */
    struct string_list netbios_domains; /* in DOMAIN\user; empty: any */
    int64_t group_members_max, group_depth_max;
    bool global_catalog; /* of Active Directory's servers that SRV records name */
    usec discover_interval;
};
