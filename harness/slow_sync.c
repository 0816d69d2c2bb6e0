/* A slower disk, for LD_PRELOAD: every sync takes SYNC_DELAY_US microseconds longer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static void delay(void)
{
    const char *set = getenv("SYNC_DELAY_US");
    if (set)
        usleep((useconds_t)atoi(set));
}

int fdatasync(int fd)
{
    static int (*next)(int);
    if (!next)
        next = dlsym(RTLD_NEXT, "fdatasync");
    delay();
    return next(fd);
}

int fsync(int fd)
{
    static int (*next)(int);
    if (!next)
        next = dlsym(RTLD_NEXT, "fsync");
    delay();
    return next(fd);
}
