#include "stop.h"

#include <signal.h>

static volatile sig_atomic_t asked;

static void note(int signal_number)
{
    asked = signal_number;
}

void sg_stop_install(void)
{
    /* Without SA_RESTART: a wait in progress ends at once. */
    struct sigaction action = {.sa_handler = note};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

int sg_stop_asked(void)
{
    return asked;
}

void sg_stop_as_asked(void)
{
    (void)signal(asked, SIG_DFL);
    (void)raise(asked);
}
