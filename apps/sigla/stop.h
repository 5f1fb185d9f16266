/*
 * Ctrl-C and SIGTERM, noticed between two steps of work instead of in the middle of one.
 */
#ifndef SG_STOP_H
#define SG_STOP_H

/* From here on the signals only set what sg_stop_asked tells; SIGPIPE is ignored. */
void sg_stop_install(void);
/* The signal that came, or 0. */
int sg_stop_asked(void);
/* End as that signal would have ended us, so that a calling shell knows. */
void sg_stop_as_asked(void);

#endif
