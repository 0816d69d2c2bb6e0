/* What the kernel asks for at least: a server that does nothing but to pass lines on.
 *
 *   floor PORT
 *
 * A line "+" makes its connection a member and is answered with "+"; any other goes to all members:
 * what came in a turn of the loop is joined, and leaves in one send a member. What a member does
 * not take waits in a buffer of its own. One thread, loopback alone; ends with the first connection
 * that does. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define LONGEST (1 << 16) /* line, or read */
#define MOST 65536        /* descriptors */

static struct link {
    char *rest, *waits; /* a line that has not ended; what its socket did not take */
    size_t rests, waiting;
} links[MOST];
static int members[MOST], n_members, poll;
static char chunk[LONGEST], *joined;
static size_t size, room;

static void want(int fd, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    epoll_ctl(poll, how, fd, &event);
}

static void give(int fd, const char *data, size_t count)
{
    struct link *link = &links[fd];
    ssize_t done = link->waiting ? 0 : send(fd, data, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done == (ssize_t)count)
        return;
    done = done < 0 ? 0 : done;
    if (!link->waiting)
        want(fd, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    link->waits = realloc(link->waits, link->waiting + count - (size_t)done);
    memcpy(link->waits + link->waiting, data + done, count - (size_t)done);
    link->waiting += count - (size_t)done;
}

static void give_waiting(int fd)
{
    struct link *link = &links[fd];
    ssize_t done = send(fd, link->waits, link->waiting, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done <= 0)
        return;
    memmove(link->waits, link->waits + done, link->waiting -= (size_t)done);
    if (!link->waiting)
        want(fd, EPOLL_CTL_MOD, EPOLLIN);
}

/* Joins the whole lines that came to those of others. */
static void take(int fd)
{
    struct link *link = &links[fd];
    link->rest = link->rest ? link->rest : malloc(LONGEST);
    memcpy(chunk, link->rest, link->rests);
    ssize_t got = recv(fd, chunk + link->rests, LONGEST - link->rests, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) /* closed: the load is over; or a line too long */
        exit(0);
    size_t all = link->rests + (size_t)got;
    char *end = memrchr(chunk, '\n', all);
    size_t whole = end ? (size_t)(end - chunk) + 1 : 0;
    memcpy(link->rest, chunk + whole, link->rests = all - whole);
    if (whole == 2 && chunk[0] == '+') {
        members[n_members++] = fd;
        give(fd, chunk, whole);
        return;
    }
    if (size + whole > room)
        joined = realloc(joined, room = 2 * (size + whole));
    memcpy(joined + size, chunk, whole);
    size += whole;
}

int main(int argc, char **argv)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event events[1024];
    int yes = 1, door = socket(AF_INET, SOCK_STREAM, 0);
    where.sin_port = htons((uint16_t)atoi(argc == 2 ? argv[1] : ""));
    if (bind(door, (struct sockaddr *)&where, sizeof where) || listen(door, 1024))
        return perror("floor"), 1;
    poll = epoll_create1(0);
    want(door, EPOLL_CTL_ADD, EPOLLIN);
    for (;; size = 0) {
        int ready = epoll_wait(poll, events, 1024, -1);
        for (int e = 0; e < ready; e++) {
            int fd = events[e].data.fd;
            if (fd == door) {
                if ((fd = accept(door, NULL, NULL)) < 0 || fd >= MOST)
                    return perror("floor"), 1;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                want(fd, EPOLL_CTL_ADD, EPOLLIN);
                continue;
            }
            if (events[e].events & EPOLLOUT)
                give_waiting(fd);
            if (events[e].events & ~(uint32_t)EPOLLOUT)
                take(fd);
        }
        for (int i = 0; size && i < n_members; i++)
            give(members[i], joined, size);
    }
}
