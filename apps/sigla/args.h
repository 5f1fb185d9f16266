/*
 * The words and options of one verb: parsed against a short description, with errors that name what
 * was meant.
 *
 *     static const sg_opt opts[] = {{"app", "NAME", "the app it belongs to"}, {0}};
 *     sg_args a;
 *     if (!sg_args_parse(&a, "FILE TABLE", opts, argc, argv, &why)) ...;
 *     sg_args_word(&a, 1), sg_args_value(&a, "app"), sg_args_has(&a, "json")
 *
 * Options may stand anywhere, as --name VALUE or --name=VALUE; after -- everything is a word. A
 * word may begin with a dash if a digit follows (a key such as -5) or if it is just a dash.
 * Threads: none of this is shared. Ownership: everything is borrowed from argv and the description.
 */
#ifndef SG_ARGS_H
#define SG_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define SG_ARGS_MAX_WORDS 64 /* words of one command line */
#define SG_ARGS_MAX_GIVEN 64 /* options of one command line */

typedef struct sg_opt {
    const char *name;  /* without dashes; NULL ends the list */
    const char *value; /* what it takes ("NAME"), or NULL for a flag */
    const char *help;  /* one line */
} sg_opt;

typedef struct sg_given {
    const sg_opt *opt;
    const char *value; /* NULL for a flag */
} sg_given;

typedef struct sg_args {
    const char *words[SG_ARGS_MAX_WORDS];
    size_t word_count;
    sg_given given[SG_ARGS_MAX_GIVEN];
    size_t given_count;
} sg_args;

/* argv: only what follows the verb. words: "FILE TABLE" required ones, "[N]" optional, "[ID...]"
 * any number. False with a sentence in why. */
bool sg_args_parse(sg_args *a, const char *words, const sg_opt *opts, int argc, char *const *argv,
                   sg_buf *why);
/* NULL past the last one. */
const char *sg_args_word(const sg_args *a, size_t i);
bool sg_args_has(const sg_args *a, const char *name);
/* Value of an option, the last one given; NULL if it was not. */
const char *sg_args_value(const sg_args *a, const char *name);
/* Value number i of an option that may be given several times; NULL past the last. */
const char *sg_args_nth(const sg_args *a, const char *name, size_t i);

/* "30s", "500ms", "2m", "1h" or bare seconds; at most a day. */
bool sg_args_duration(const char *text, int64_t *ms);

/* The one of the names (NULL at the end) that was probably meant, or NULL. */
const char *sg_args_meant(const char *typed, const char *const *names);

#endif
