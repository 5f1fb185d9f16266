/* One app's event stream inside a session. */
#ifndef SG_STREAM_H
#define SG_STREAM_H

#include "replica/session.h"

void sg_stream_deinit(sg_stream *st);

#endif
