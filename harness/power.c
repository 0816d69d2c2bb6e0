/* A disk that forgets, for LD_PRELOAD: what was written to the journal's files since their last
 * sync can be taken back.
 *
 * Before a write to FILE (the journal or its WAL) the bytes that it replaces are kept in FILE.undo;
 * a sync of FILE empties that. After kill -9, whoever plays the power cut undoes the records of
 * FILE.undo, last first. A record: offset, length, file size before (8 bytes each, host order), then
 * the old bytes, fewer than the length where the file was shorter.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST 4096

static int undo_of[MOST]; /* descriptor -> its undo file + 1; 0: not looked at, -1: none */

static int undo_file(int fd)
{
    char link[64], path[PATH_MAX];
    const char *name;
    ssize_t size;

    if (fd < 0 || fd >= MOST)
        return -1;
    if (undo_of[fd])
        return undo_of[fd] - 1 < 0 ? -1 : undo_of[fd] - 1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    size = readlink(link, path, sizeof path - 8);
    undo_of[fd] = -1;
    if (size <= 0)
        return -1;
    path[size] = 0;
    name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    if (strcmp(name, "journal.sqlite") && strcmp(name, "journal.sqlite-wal"))
        return -1;
    strcat(path, ".undo");
    undo_of[fd] = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600) + 1;
    return undo_of[fd] - 1;
}

static void keep(int fd, size_t count, off_t offset)
{
    static ssize_t (*read_at)(int, void *, size_t, off_t);
    int undo = undo_file(fd);
    struct stat found;
    uint64_t head[3] = {(uint64_t)offset, count, 0};
    char *old;
    ssize_t size;

    if (undo < 0 || fstat(fd, &found))
        return;
    if (!read_at)
        read_at = dlsym(RTLD_NEXT, "pread");
    old = malloc(sizeof head + count);
    head[2] = (uint64_t)found.st_size;
    size = read_at(fd, old + sizeof head, count, offset);
    if (size < 0)
        size = 0;
    memcpy(old, head, sizeof head);
    if (write(undo, old, sizeof head + (size_t)size) < 0)
        abort();
    free(old);
}

static void synced(int fd)
{
    int undo = undo_file(fd);
    if (undo >= 0 && ftruncate(undo, 0))
        abort();
}

ssize_t pwrite(int fd, const void *data, size_t count, off_t offset)
{
    static ssize_t (*next)(int, const void *, size_t, off_t);
    if (!next)
        next = dlsym(RTLD_NEXT, "pwrite");
    keep(fd, count, offset);
    return next(fd, data, count, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t count, off_t offset)
{
    return pwrite(fd, data, count, offset);
}

int fdatasync(int fd)
{
    static int (*next)(int);
    int code;
    if (!next)
        next = dlsym(RTLD_NEXT, "fdatasync");
    code = next(fd);
    if (!code)
        synced(fd);
    return code;
}

int fsync(int fd)
{
    static int (*next)(int);
    int code;
    if (!next)
        next = dlsym(RTLD_NEXT, "fsync");
    code = next(fd);
    if (!code)
        synced(fd);
    return code;
}

int close(int fd)
{
    static int (*next)(int);
    if (!next)
        next = dlsym(RTLD_NEXT, "close");
    if (fd >= 0 && fd < MOST && undo_of[fd]) {
        if (undo_of[fd] > 0)
            next(undo_of[fd] - 1);
        undo_of[fd] = 0;
    }
    return next(fd);
}
