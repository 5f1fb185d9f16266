/* Options of sigla_track, as JSON: checked, and written in one canonical way. */
#ifndef SG_OPTIONS_H
#define SG_OPTIONS_H

#include "replica/replica.h"

typedef struct sg_track_options {
    sg_buf app;  /* app's name; empty: not given */
    sg_buf wire; /* name on the wire; empty: not given */
    sg_buf rest; /* JSON object of what is kept with the table: local, groups, json, space */
    bool given;  /* anything but app and wire was given */
} sg_track_options;

/* Read what sigla_track was given for a table of the database. SG_BADREQUEST with a message naming
 * the member or the column. Empty text: nothing given. */
int sg_options_read(sg_replica *r, sg_slice table, sg_slice json, sg_track_options *o);
void sg_options_deinit(sg_track_options *o);

/* What stored options say of a column. */
typedef struct sg_column_options {
    bool local; /* never leaves this database */
    bool json;  /* travels as JSON */
    bool space; /* says whose the record is */
    int group;  /* 1…: wins or loses together with the others of that number; 0: by itself */
} sg_column_options;
int sg_options_of(sg_slice stored, sg_slice column, sg_column_options *o);
/* sigla_index_updated was asked for. */
bool sg_options_indexed(sg_slice stored);

/* The stored options with the column local too. */
int sg_options_set_local(sg_slice stored, sg_slice column, sg_buf *out);
/* The stored options with "index" true. */
int sg_options_set_index(sg_slice stored, sg_buf *out);

#endif
