/* How many connections a second a server makes; with TLS or without.
 *
 *   handshakes PORT TLS COUNT AT_ONCE < script
 *
 * COUNT connections, AT_ONCE at a time; each goes through the script of dial.h and is closed. After
 * that a line is printed: seconds, own CPU seconds. Ends with its standard input. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "dial.h"

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    struct timespec start, end;
    struct rusage own;
    if (argc != 5)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    clock_gettime(CLOCK_MONOTONIC, &start);
    dial(atoi(argv[1]), atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), 1, 0, NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    getrusage(RUSAGE_SELF, &own);
    printf("%.6f %.6f\n",
           (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9,
           seconds(own.ru_utime) + seconds(own.ru_stime));
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return 0;
}
