/* The load of fanout.py.
 *
 *   fanout SENDERS MEMBERS WINDOW RATE SECONDS SAMPLE BURST [PORT TLS] < orders
 *
 * Standard input: for each sender a line "time_offset count_offset hex_of_the_message". Into a copy
 * of it go, before it is sent, 16 hexadecimal digits of the time in ns at time_offset, and where
 * count_offset >= 0 a count as 16 digits there. A text begins with '^', two digits of the sender,
 * then the time. Then a line for each sender and member:
 *
 * - the descriptor of a socket that is connected and joined already; or
 * - with PORT and TLS (0 or 1), which need to be compiled with -DDIAL and dial.c: the script by
 *   which it joins. When all have joined a line with the cipher is printed; the load begins after
 *   one more line of input, and when it is over the connections stay until the input ends.
 *
 * Member 0 is the reference: each message it sees gives its sender credit for another one, and
 * what one chunk gives leaves in one write (BURST 1), or each message in a write of its own. RATE 0:
 * WINDOW messages in flight for each sender; else so many a second in all, in turn. The bytes of
 * all members are counted; SAMPLE 1: every member's messages are timed, else the reference's only.
 * After SECONDS nothing is sent; it ends when the reference saw all and every member has as many
 * bytes as it. Where that does not come to be it ends 20 seconds later, or when nobody got a byte
 * for 3 seconds; those don't count: the seconds are those until the last bytes.
 *
 * Prints: sent, seen by the reference, members that lack bytes, seconds, own CPU seconds, then the
 * latencies p50, p99, max in microseconds.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef DIAL
#include "dial.h"
#endif

#define AT_ONCE 8 /* connections that are being made: half of what a server lets one address have */
#define CHUNK (1 << 18)
#define SPAN 19 /* '^', sender, time */
#define QUEUE 1024
#define IDLE 100000000u     /* ns, the longest wait */
#define SILENCE 3000000000u /* ns without a byte, after which nothing more is to come */

struct sender {
    unsigned char *text;
    size_t size, time_at;
    long count_at;
    uint64_t count, credit;
    unsigned char *out; /* what is to be written: room for QUEUE messages */
    size_t waits;
};

static struct sender *senders;
static int n_senders, n_members, burst, dialed, *sockets;
static uint64_t *bytes, sent, seen;
static unsigned char **tails; /* the end of the last chunk of each timed member */
static size_t *tail_size;
static uint32_t *latency;
static size_t n_latency, room_latency;
static unsigned char buffer[CHUNK + SPAN];

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void hex(unsigned char *out, uint64_t value)
{
    for (int i = 15; i >= 0; i--, value >>= 4)
        out[i] = (unsigned char)"0123456789abcdef"[value & 15];
}

static uint64_t unhex(const unsigned char *in)
{
    uint64_t value = 0;
    for (int i = 0; i < 16; i++)
        value = value << 4 | (uint64_t)(in[i] <= '9' ? in[i] - '0' : in[i] - 'a' + 10);
    return value;
}

static ssize_t take(int index, void *data, size_t size)
{
#ifdef DIAL
    if (dialed)
        return dial_read(index, data, size);
#endif
    return read(sockets[index], data, size);
}

static ssize_t put(int index, const void *data, size_t size)
{
#ifdef DIAL
    if (dialed)
        return dial_write(index, data, size);
#endif
    return write(sockets[index], data, size);
}

static double cpu_seconds(void)
{
    struct rusage own;
    getrusage(RUSAGE_SELF, &own);
    return (double)own.ru_utime.tv_sec + (double)own.ru_utime.tv_usec / 1e6 +
           (double)own.ru_stime.tv_sec + (double)own.ru_stime.tv_usec / 1e6;
}

static void push(int index);

/* Queues a sender's next message; where there is no room it waits, and is stamped later. */
static void emit(int index)
{
    struct sender *s = &senders[index];
    unsigned char *at = s->out + s->waits;

    if (s->waits + s->size > QUEUE * s->size) {
        s->credit++;
        return;
    }
    memcpy(at, s->text, s->size);
    hex(at + s->time_at, now_ns());
    if (s->count_at >= 0)
        hex(at + s->count_at, ++s->count);
    s->waits += s->size;
    sent++;
    if (!burst && s->waits == s->size && !s->credit)
        push(index);
}

/* Writes what a sender has queued, as far as its socket takes it. */
static void push(int index)
{
    struct sender *s = &senders[index];
    do {
        size_t gone = 0;
        while (s->credit && s->waits + s->size <= QUEUE * s->size) {
            s->credit--;
            emit(index);
        }
        while (gone < s->waits) {
            ssize_t done = put(index, s->out + gone, s->waits - gone);
            if (done < 0 && errno == EINTR)
                continue;
            if (done < 0 && errno != EAGAIN) {
                perror("fanout: a sender was closed");
                exit(1);
            }
            if (done < 0)
                break;
            gone += (size_t)done;
        }
        s->waits -= gone;
        memmove(s->out, s->out + gone, s->waits);
    } while (s->credit && !s->waits);
}

static void push_all(void)
{
    for (int i = 0; i < n_senders; i++)
        if (senders[i].waits)
            push(i);
}

static void note(uint64_t since)
{
    uint64_t us = (now_ns() - since) / 1000;
    if (n_latency == room_latency) {
        room_latency = room_latency ? 2 * room_latency : 1 << 20;
        latency = realloc(latency, room_latency * sizeof *latency);
    }
    latency[n_latency++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

/* Looks for messages in what a member got; the reference's give credit. */
static void scan(int member, size_t size, int sending, int windowed)
{
    unsigned char *start = buffer + SPAN - tail_size[member], *end = buffer + SPAN + size, *at;
    memcpy(start, tails[member], tail_size[member]);
    for (at = start; (at = memchr(at, '^', (size_t)(end - at))) && end - at >= SPAN; at += SPAN) {
        note(unhex(at + 3));
        if (member == 0) {
            int index = (at[1] - '0') * 10 + at[2] - '0';
            seen++;
            if (sending && windowed)
                emit(index);
        }
    }
    /* A message may be cut: keep from its '^' on. */
    tail_size[member] = at ? (size_t)(end - at) : 0;
    if (at)
        memcpy(tails[member], at, tail_size[member]);
}

static int smaller(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* epoll_wait to the nanosecond; to the next millisecond where the kernel (before 5.11) has none. */
static int wait_for(int poll, struct epoll_event *events, int room, uint64_t ns)
{
#ifdef SYS_epoll_pwait2
    struct timespec wait = {.tv_sec = (time_t)(ns / 1000000000u),
                            .tv_nsec = (long)(ns % 1000000000u)};
    int ready = (int)syscall(SYS_epoll_pwait2, poll, events, room, &wait, NULL, (size_t)0);
    if (ready >= 0 || errno != ENOSYS)
        return ready;
#endif
    return epoll_wait(poll, events, room, (int)((ns + 999999) / 1000000));
}

int main(int argc, char **argv)
{
    struct epoll_event events[1024];
    if (argc != 8 && argc != 10)
        return 2;
    signal(SIGPIPE, SIG_IGN); /* the write tells */
    n_senders = atoi(argv[1]);
    n_members = atoi(argv[2]);
    int window = atoi(argv[3]), sample = atoi(argv[6]);
    burst = atoi(argv[7]);
    double rate = atof(argv[4]), seconds = atof(argv[5]);
    senders = calloc((size_t)n_senders, sizeof *senders);
    bytes = calloc((size_t)n_members, sizeof *bytes);
    tails = calloc((size_t)n_members, sizeof *tails);
    tail_size = calloc((size_t)n_members, sizeof *tail_size);
    for (int i = 0; i < n_members; i++)
        tails[i] = malloc(SPAN);
    for (int i = 0; i < n_senders; i++) {
        char *line = NULL;
        size_t room = 0;
        int used = 0;
        if (getline(&line, &room, stdin) < 0)
            return 2;
        sscanf(line, "%zu %ld %n", &senders[i].time_at, &senders[i].count_at, &used);
        senders[i].size = strcspn(line + used, "\n") / 2;
        senders[i].text = malloc(senders[i].size);
        senders[i].out = malloc(QUEUE * senders[i].size);
        for (size_t k = 0; k < senders[i].size; k++)
            sscanf(line + used + 2 * k, "%2hhx", &senders[i].text[k]);
        free(line);
    }
    int poll = epoll_create1(0), total = n_senders + n_members;
    sockets = calloc((size_t)total, sizeof *sockets);
    if (argc == 10) {
#ifdef DIAL
        char *line = NULL;
        size_t room = 0;
        dial(atoi(argv[8]), atoi(argv[9]), total, AT_ONCE, total, 1, sockets);
        dialed = 1;
        printf("%s\n", dial_cipher());
        fflush(stdout);
        if (getline(&line, &room, stdin) < 0)
            return 2;
        free(line);
#else
        return 2;
#endif
    } else {
        for (int i = 0; i < total; i++)
            if (scanf("%d", &sockets[i]) != 1)
                return 2;
    }
    for (int i = 0; i < total; i++) {
        struct epoll_event want = {.events = EPOLLIN | (i < n_senders ? EPOLLOUT | EPOLLET : 0),
                                   .data.u32 = (uint32_t)i};
        fcntl(sockets[i], F_SETFL, O_NONBLOCK);
        epoll_ctl(poll, EPOLL_CTL_ADD, sockets[i], &want);
    }
    double cpu = cpu_seconds();
    uint64_t start = now_ns(), stop = start + (uint64_t)(seconds * 1e9), due = start, last = stop;
    uint64_t gap = rate > 0 ? (uint64_t)(1e9 / rate) : 0, limit = stop + 20000000000u, now = start;
    int turn = 0, lacking = n_members, all = 0;
    if (!gap)
        for (int i = 0; i < n_senders; i++)
            for (int k = 0; k < window; k++)
                emit(i);
    push_all();
    while ((now = now_ns()) < limit) {
        int sending = now < stop;
        uint64_t wait = sending && stop - now < IDLE ? stop - now : IDLE;
        if (sending && gap) {
            for (; due <= now; due += gap, turn = (turn + 1) % n_senders)
                emit(turn);
            push_all();
            now = now_ns();
            wait = due < now ? 0 : due - now < wait ? due - now : wait;
        }
        if (!sending) {
            lacking = 0;
            for (int i = 0; i < n_members; i++)
                lacking += bytes[i] + 64 < bytes[0]; /* a ping is no message */
            if ((all = seen == sent && !lacking) || now - last > SILENCE)
                break;
        }
        int ready = wait_for(poll, events, 1024, wait);
        uint64_t woke = now_ns();
        for (int e = 0; e < ready; e++) {
            int i = (int)events[e].data.u32;
            if (i < n_senders) {
                while (take(i, buffer, CHUNK) > 0)
                    ;
                push(i);
                continue;
            }
            int member = i - n_senders;
            ssize_t size;
            do {
                size = take(i, buffer + SPAN, CHUNK);
                if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
                    fprintf(stderr, "fanout: member %d was closed\n", member);
                    return 1;
                }
                if (size < 0)
                    break;
                bytes[member] += (uint64_t)size;
                last = woke > last ? woke : last;
                if (sample || member == 0)
                    scan(member, (size_t)size, sending, !gap);
            } while (dialed && size == CHUNK);
            if (member == 0)
                push_all();
        }
    }
    double spent = (double)((all ? now_ns() : last) - start) / 1e9;
    cpu = cpu_seconds() - cpu;
    qsort(latency, n_latency, sizeof *latency, smaller);
    printf("%llu %llu %d %.3f %.3f %u %u %u\n", (unsigned long long)sent, (unsigned long long)seen,
           lacking, spent, cpu, n_latency ? latency[n_latency / 2] : 0,
           n_latency ? latency[n_latency * 99 / 100] : 0, n_latency ? latency[n_latency - 1] : 0);
    fflush(stdout);
    while (dialed && getchar() != EOF)
        ;
    return 0;
}
