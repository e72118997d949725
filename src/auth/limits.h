#pragma once
/*
 * The limits of src/auth. Private to auth.
 */
#include "core/clock.h"

/* Names that do not exist, as many as the smallest cache for those that do. */
#define CACHE_MISSING_MAX 65536
/* What an entry of the cache takes beside its answer. */
#define CACHE_ENTRY_COST 160
/* Questions on their way that others can join. */
#define QUESTIONS_MAX 16384
/* Bytes of a login as typed; longer ones do not exist. */
#define LOGIN_MAX 512
/* Recent right passwords, 40 bytes each. */
#define SUCCESS_SETS 512
#define SUCCESS_WAYS 4

/* Connections to the database: one for changes, the rest for look-ups. */
#define CONNECTIONS 3
/* Addresses that a change reads again one by one; of more all are. */
#define TOUCHED_ADDRESSES_MAX 64
/* A table in memory of more addresses is given back on a worker. */
#define TABLE_LARGE 10000
/* Accounts of a list that are read at a time. */
#define LIST_SLICE 200
/* How long SQLite waits for another process that holds the database. */
#define DATABASE_BUSY_MSEC 2000

/* Logins that wait for a worker to hash; more are told to try later. */
#define LOGINS_WAITING_MAX 500

/* Names under which failed logins are counted: of each kind so many, about 150 bytes each. */
#define PENALTY_SETS 4096
#define PENALTY_WAYS 8
/* Bytes of a name: login and network. */
#define PENALTY_NAME_MAX ((size_t)LOG_LOGIN_MAX + 64)
/* The file of them: names with so many failures, how often it is written, and its size at most. */
#define PENALTY_KEPT_FAILURES 2.5
#define PENALTY_SAVE_INTERVAL (600 * USEC_SEC)
#define PENALTY_FILE_MAX      ((size_t)256 * 1024 * 1024)
/* Failed logins that wait for their answer, a fiber each; more are answered at once, as if the
 * directory did not answer. */
#define FAILURES_WAITING_MAX 2000

/* Bytes of a login name that a log line shows. */
#define LOG_LOGIN_MAX 256

/* Bytes of a user's name for people. */
#define DISPLAY_NAME_MAX 200

/* Hashes from elsewhere: memory of one (bytes), and what makes it slow; at most about a second. */
#define HASH_TEXT_MAX        1024
#define HASH_MEMORY_MAX      ((uint64_t)256 * 1024 * 1024)
#define ARGON2_WORK_MAX      ((uint64_t)1024 * 1024) /* KiB of memory times passes */
#define ARGON2_LANES_MAX     16
#define BCRYPT_COST_MAX      14
#define SHA_CRYPT_ROUNDS_MAX 1000000
#define SCRAM_ITERATIONS_MAX 1000000u
#define DIGEST_SALT_MAX      256

/* Members of a group, those of groups inside included. */
#define GROUP_MEMBERS_MAX 200000
/* Users that an export reads at a time. */
#define EXPORT_SLICE 500
/* Addresses that a user's mail goes to; hidden copies of a domain's. */
#define FORWARDS_MAX      100
#define DOMAIN_COPIES_MAX 20
/* Of a domain: bytes of the disclaimer; bytes and bits of the key (RFC 8301 3.2: at least 1024,
 * verifiers need not take more than 4096), bytes of its selector. */
#define DISCLAIMER_MAX      ((size_t)64 * 1024)
#define DOMAIN_KEY_MAX      ((size_t)16 * 1024)
#define DOMAIN_KEY_RSA_MIN  1024
#define DOMAIN_KEY_RSA_MAX  4096
#define DOMAIN_SELECTOR_MAX 100
/* Bytes of a special destination. */
#define SPECIAL_MAX 1024

/* Rules; of one the bytes of its name and pattern, and its destinations. */
#define RULES_MAX             1000
#define RULE_NAME_MAX         100
#define RULE_PATTERN_MAX      2000
#define RULE_DESTINATIONS_MAX 100
/* How long rules are tried on the loop; a worker tries the rest. */
#define RULES_LOOP_TIME (USEC_MSEC / 2)

/* A name within a password counts from this length on (bytes), with no more than so much else. */
#define POLICY_NAME_MIN   3
#define POLICY_NAME_REST  3
#define POLICY_LIST_PIECE ((size_t)64 * 1024)
#define POLICY_LINE_MAX   1024

/* Hashes that wait to be made anew after a login, and application passwords to be noted as used. */
#define UPGRADES_WAITING_MAX 1000

/* Application passwords of an account, and bytes of the networks of one. */
#define APP_PASSWORDS_MAX 100
#define APP_NETWORKS_MAX  1000

/* Bytes of the path of an account's folders below the store, as an LDAP server gives it. */
#define LDAP_HOME_MAX 512
/* Bytes of a login that an LDAP server is asked for. */
#define LDAP_LOGIN_MAX 512

/* Tokens of OAuth. What carries one is no longer than SASL_RESPONSE_MAX. */
#define TOKEN_MAX       12288
#define TOKEN_DEPTH_MAX 12  /* of its JSON */
#define TOKEN_LOGIN_MAX 320 /* bytes of the claim that names the user */
/* An issuer's keys. */
#define TOKEN_KEYS_MAX         100
#define TOKEN_KEYS_TRIED_MAX   4 /* for a token that does not say which */
#define TOKEN_KEYS_SIZE_MAX    ((size_t)256 * 1024)
#define TOKEN_RSA_MIN          2048 /* bits; RFC 7518 3.3 */
#define TOKEN_RSA_MAX          8192
#define TOKEN_RSA_EXPONENT_MAX 4 /* bytes */
/* How often an unknown key's name, or a failure, makes us ask the issuer again. */
#define TOKEN_KEYS_REFRESH_MIN (10 * USEC_SEC)
/* An introspection's answer; how many are under way at a time, and remembered. */
#define TOKEN_ANSWER_MAX     ((size_t)64 * 1024)
#define TOKEN_ASKING_MAX     100
#define TOKEN_REMEMBERED_MAX 10000

/* What an LDAP server may make us hold: bytes of one message, of all answers that a connection
 * has not finished; servers of one block. */
#define LDAP_MESSAGE_MAX (16 * 1024 * 1024)
#define LDAP_ANSWERS_MAX (64 * 1024 * 1024)
#define LDAP_SERVERS_MAX 64
/* The same of a connection for logins. */
#define LDAP_LOGIN_ANSWER_MAX (64 * 1024)
/* Names of a server's certificate that an error shows. */
#define LDAP_CERTIFICATE_NAMES_SHOWN 3
/* Entries of a search that sets no limit itself. */
#define LDAP_ENTRIES_MAX 1000000
/* Searches at a time on one connection. */
#define LDAP_PIPELINE_MAX 64
/* Connections for searches in pages. */
#define LDAP_PAGE_CONNECTIONS 2
/* Questions that wait for a connection; more are told to try later. */
#define LDAP_QUEUE_MAX 1000
/* Threads that hang in a library and are left behind, at a time. */
#define LDAP_LEFT_MAX 32
/* Messages that are read and dropped of an answer that nobody waits for any more. */
#define LDAP_DROPPED_MAX 2000
/* How long a look at a server may take, and to get there. */
#define LDAP_PROBE_REACH    (1 * USEC_SEC)
#define LDAP_PROBE_PATIENCE (5 * USEC_SEC)
/* How long the end waits for threads; those that hang are left behind. */
#define LDAP_CLOSE_WAIT (USEC_SEC / 2)
