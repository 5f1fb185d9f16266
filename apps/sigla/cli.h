/*
 * What all verbs share: exit codes, how they are described, how errors are said.
 */
#ifndef SG_CLI_H
#define SG_CLI_H

#include <stdio.h>

#include "args.h"
#include "base/err.h"
#include "base/slice.h"

/* Exit codes are a contract with scripts (sigla --help). */
enum sg_exit {
    SG_EXIT_OK = 0,
    SG_EXIT_FAILED = 1,  /* the operation failed, or found problems */
    SG_EXIT_USAGE = 2,   /* the command line is wrong */
    SG_EXIT_NETWORK = 3, /* the server cannot be reached */
    SG_EXIT_REFUSED = 4, /* the server refused: 401, 402, 403, 426 */
    SG_EXIT_DATABASE = 5 /* the file is missing, damaged, locked or cannot be written */
};

typedef struct sg_verb {
    const char *name;
    const char *words;   /* "FILE TABLE" as sg_args_parse takes them */
    const char *summary; /* one line, for the list */
    const char *more;    /* paragraphs for --help; may be NULL */
    const char *examples;
    const sg_opt *opts; /* ends with a zero */
    int (*run)(const sg_args *args);
    int (*raw)(int argc, char **argv); /* instead of run: parses its own; argv[0] is the verb */
} sg_verb;

extern const sg_verb sg_verb_init, sg_verb_track, sg_verb_untrack, sg_verb_sync, sg_verb_sql;
extern const sg_verb sg_verb_status, sg_verb_pending, sg_verb_marks, sg_verb_log;
extern const sg_verb sg_verb_conflicts, sg_verb_restore, sg_verb_dismiss;
extern const sg_verb sg_verb_refused, sg_verb_retry, sg_verb_parked, sg_verb_doctor;
extern const sg_verb sg_verb_serve, sg_verb_token, sg_verb_user;

/* Written beside the server: parse their own options; argv[0] is the verb's name. */
int sg_cmd_serve(int argc, char **argv);
int sg_cmd_token(int argc, char **argv);

/* The exit code for one of our errors. */
int sg_exit_of(int err);
/* Say "sigla: …" on standard error, cleaned, and give the exit code back. */
int sg_fail(int exit_code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A further line under an error or result: what to do about it. On standard error. */
void sg_hint(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A line on standard output, cleaned. */
void sg_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Bytes to standard output as they are. */
void sg_out(sg_slice bytes);
/* Flush standard output; false if what was written did not arrive. */
bool sg_out_flush(void);

#endif
