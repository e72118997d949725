/*
 * SIGINT, SIGTERM and SIGHUP set a flag. System calls that wait end with EINTR and look at it
 * (without SA_RESTART); work that does not wait asks between two messages.
 */
#include "mailctl/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <sys/time.h>

static volatile sig_atomic_t interrupted;

static void note(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

void interrupt_catch(void)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

void interrupt_after(usec time)
{
    struct sigaction action = {.sa_handler = note};
    struct itimerval once = {.it_value = {.tv_sec = time / USEC_SEC, .tv_usec = time % USEC_SEC}};
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &once, NULL);
}

bool is_interrupted(void)
{
    return interrupted;
}

bool err_interrupted(struct err *e)
{
    return err_set(e, ERR_CANCELLED, "interrupted");
}
