/*
 * The tables of the directory (spec/spaces.md, section 1), for every store.
 *
 * INT and BLOB are the store's names of a 64-bit integer and of bytes; END is what it writes behind a
 * table: "INTEGER", "BLOB" and " STRICT" in SQLite, "BIGINT", "BYTEA" and "" in PostgreSQL. The rest
 * is the same SQL in both. A time is in microseconds since 1970, and 0 where it has not come.
 *
 * login and email are kept in lower case, so that UNIQUE compares them so. A person without one of
 * them has NULL. A refresh token has two parts, which spec/spaces.md, section 2, explains: family is the
 * digest of the first, `newest` of the second (up to SG_TWINS_MAX of them, one behind the other),
 * `used` of the one before. A person belongs to a space while joined_seq > left_seq.
 */
#ifndef SG_DIRECTORY_TABLES_H
#define SG_DIRECTORY_TABLES_H

#define SG_DIRECTORY_TABLES(INT, BLOB, END)                                                        \
    "CREATE TABLE person(id TEXT PRIMARY KEY, login TEXT UNIQUE, email TEXT UNIQUE,"               \
    " name TEXT NOT NULL, password TEXT NOT NULL, made_us " INT " NOT NULL,"                       \
    " disabled_us " INT " NOT NULL)" END ";"                                                       \
    "CREATE TABLE session(id TEXT PRIMARY KEY, person TEXT NOT NULL, device TEXT NOT NULL,"        \
    " made_us " INT " NOT NULL, used_us " INT " NOT NULL, revoked_us " INT " NOT NULL,"            \
    " family " BLOB " NOT NULL UNIQUE, newest " BLOB " NOT NULL, used " BLOB " NOT NULL)" END ";"  \
    "CREATE INDEX session_person ON session(person, id);"                                          \
    "CREATE INDEX session_revoked ON session(revoked_us) WHERE revoked_us > 0;"                    \
    "CREATE TABLE space(id TEXT PRIMARY KEY, type TEXT NOT NULL, name TEXT NOT NULL,"              \
    " person TEXT UNIQUE, made_us " INT " NOT NULL, deleted_us " INT " NOT NULL)" END ";"          \
    "CREATE TABLE member(space TEXT NOT NULL, person TEXT NOT NULL, role TEXT NOT NULL,"           \
    " joined_seq " INT " NOT NULL, left_seq " INT " NOT NULL, PRIMARY KEY (space, person))" END    \
    ";"                                                                                            \
    "CREATE INDEX member_person ON member(person, space);"                                         \
    "CREATE TABLE invite(id TEXT PRIMARY KEY, digest " BLOB " NOT NULL UNIQUE,"                    \
    " space TEXT NOT NULL, role TEXT NOT NULL, maker TEXT NOT NULL, made_us " INT " NOT NULL,"     \
    " until_us " INT " NOT NULL, uses_left " INT " NOT NULL)" END ";"                              \
    "CREATE INDEX invite_space ON invite(space, id);"                                              \
    "CREATE INDEX invite_maker ON invite(maker, id);"

#endif
