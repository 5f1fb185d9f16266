/* What people write: plain words, as many as asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "year/year.h"

static const char *const words[] = {
    "tea",         "milk",         "bread",   "call",      "Ben",      "Ann",     "Saturday",
    "garden",      "window",       "the",     "a",         "and",      "before",  "after",
    "school",      "train",        "tickets", "dentist",   "pay",      "invoice", "lemon",
    "olive",       "oil",          "flour",   "two",       "three",    "grams",   "oven",
    "slowly",      "stir",         "until",   "golden",    "bicycle",  "repair",  "library",
    "return",      "birthday",     "present", "grandma",   "phone",    "key",     "neighbour",
    "water",       "plants",       "email",   "insurance", "contract", "cancel",  "for",
    "with",        "without",      "maybe",   "tomorrow",  "next",     "week",    "please",
    "caf\xc3\xa9", "\xc3\xa4pfel", "ask",     "again",     "half",     "of",      "it''s",
    "list"};

const char *year_literal(year *y, const char *text)
{
    if (y->word_count == y->word_cap) {
        y->word_cap = y->word_cap != 0 ? y->word_cap * 2 : 4096;
        y->words = realloc(y->words, (size_t)y->word_cap * sizeof *y->words);
    }
    char *copy = y->words != NULL ? strdup(text) : NULL;
    if (copy == NULL) abort();
    return y->words[y->word_count++] = copy;
}

const char *year_words(year *y, int count)
{
    char text[600] = "'";
    size_t n = 1;
    for (int i = 0; i < count; i++) {
        const char *w = words[prng_below(&y->g, sizeof words / sizeof *words)];
        size_t k = strlen(w);
        if (n + k + 3 > sizeof text) break;
        if (i != 0) text[n++] = ' ';
        memcpy(text + n, w, k);
        n += k;
    }
    text[n++] = '\'';
    text[n] = '\0';
    return year_literal(y, text);
}

const char *year_number(year *y, int value)
{
    char text[20];
    snprintf(text, sizeof text, "%d", value);
    return year_literal(y, text);
}
