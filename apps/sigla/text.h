/*
 * Text for a terminal: how many columns it takes, cut to fit, and harmless.
 *
 * What a database holds was written by others: control characters in it could move the cursor or
 * retitle a window, direction overrides could show one thing and mean another. sg_text_clean makes
 * all of them visible; only cleaned text may be printed.
 */
#ifndef SG_TEXT_H
#define SG_TEXT_H

#include "base/buf.h"

/* Once per process, before any other: widths need a UTF-8 character table. */
void sg_text_setup(void);
/* Columns the text takes on a terminal (wide characters two, combining ones none). */
size_t sg_text_width(sg_slice text);
/* The text with line ends as ↵, tabs as blanks, and other controls, direction marks and bytes that
 * are not UTF-8 as �. */
void sg_text_clean(sg_buf *out, sg_slice text);
/* Clean text, if it is wider than `width` cut and ended with …; returns the columns used. */
size_t sg_text_fit(sg_buf *out, sg_slice clean, size_t width);
/* A C string into room bytes, cut if it is longer. */
void sg_text_copy(char *to, size_t room, const char *text);
/* Whole numbers with a comma every three digits. */
void sg_text_count(sg_buf *out, int64_t n);

#endif
