/*
 * Values, actors, times and records as people read them, made from their JSON. --json prints the
 * JSON itself.
 */
#ifndef SG_SHOW_H
#define SG_SHOW_H

#include <stdbool.h>

#include "base/buf.h"

/* Member of a valid JSON object, as its raw JSON; false if there is none. */
bool sg_show_member(sg_slice object, const char *key, sg_slice *value);
/* A member that is a string or number: its text appended to out. False if there is none. */
bool sg_show_member_text(sg_slice object, const char *key, sg_buf *out);
/* Any member as text, or 0 when it is no integer. */
int64_t sg_show_member_int(sg_slice object, const char *key);

/* A JSON value: strings bare unless they could be taken for something else, the rest as it is. */
void sg_show_value(sg_buf *out, sg_slice json);
/* {"title":"Tea","done":1} as title=Tea done=1; an array of names as a list. */
void sg_show_fields(sg_buf *out, sg_slice json);
/* Ann, or "Scribe (agent)", or system:migration. */
void sg_show_actor(sg_buf *out, sg_slice json);
/* An ISO-8601 stamp in local time to the second; "default" for the bottom stamp. */
void sg_show_time(sg_buf *out, sg_slice iso);

#endif
