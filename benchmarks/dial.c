/* See dial.h. Needs libssl.so.3 and libcrypto.so.3, but not their headers. */
#define _GNU_SOURCE
#include "dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* OpenSSL 3, <openssl/ssl.h> and <openssl/err.h>. */
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;
extern const void *TLS_client_method(void);
extern SSL_CTX *SSL_CTX_new(const void *method);
extern long SSL_CTX_ctrl(SSL_CTX *, int command, long value, void *);
extern void SSL_CTX_set_default_read_buffer_len(SSL_CTX *, size_t);
extern SSL *SSL_new(SSL_CTX *);
extern void SSL_free(SSL *);
extern int SSL_set_fd(SSL *, int);
extern int SSL_connect(SSL *);
extern int SSL_read(SSL *, void *, int);
extern int SSL_write(SSL *, const void *, int);
extern int SSL_shutdown(SSL *);
extern int SSL_has_pending(const SSL *);
extern int SSL_get_error(const SSL *, int);
extern const char *SSL_get_version(const SSL *);
extern const void *SSL_get_current_cipher(const SSL *);
extern const char *SSL_CIPHER_get_name(const void *);
extern unsigned long ERR_get_error(void);
extern void ERR_error_string_n(unsigned long, char *, size_t);
#define SSL_CTRL_MODE 33
#define SSL_CTRL_SET_READ_AHEAD 41
#define SSL_MODE_ENABLE_PARTIAL_WRITE 0x01
#define SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER 0x02
#define SSL_MODE_RELEASE_BUFFERS 0x10
#define SSL_ERROR_WANT_READ 2
#define SSL_ERROR_WANT_WRITE 3
#define SSL_ERROR_SYSCALL 5
#define SSL_ERROR_ZERO_RETURN 6

#define INBOX (1 << 18) /* of a connection that goes through its script */
#define READ_AHEAD (1 << 16)
#define PATIENCE 20000 /* ms without any progress */
#define QUIET 200000   /* us */

struct step {
    unsigned char *frame, *awaited;
    size_t size, prefix;
};

struct script {
    struct step *steps;
    int count;
};

struct link {
    int fd, secure, step;
    SSL *ssl;
    unsigned char *in;
    size_t sent, got;
};

static struct link *links;
static SSL_CTX *context;
static char cipher[128] = "none";

static void fail(const char *what, int index)
{
    fprintf(stderr, "connection %d: %s\n", index, what);
    exit(1);
}

/* --- bytes ------------------------------------------------------------------------------ */

/* What a call of OpenSSL that returned `result` <= 0 means, as read(2) would tell it. */
static ssize_t outcome(SSL *ssl, int result)
{
    int system = errno, reason = SSL_get_error(ssl, result);
    if (reason == SSL_ERROR_ZERO_RETURN)
        return 0;
    if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE)
        errno = EAGAIN;
    else
        errno = reason == SSL_ERROR_SYSCALL && system ? system : EPROTO;
    return -1;
}

ssize_t dial_read(int index, void *data, size_t size)
{
    SSL *ssl = links[index].ssl;
    size_t got = 0;
    if (!ssl)
        return read(links[index].fd, data, size);
    do { /* a record a call */
        int result = SSL_read(ssl, (char *)data + got, (int)(size - got));
        if (result <= 0)
            return got ? (ssize_t)got : outcome(ssl, result);
        got += (size_t)result;
    } while (got < size && SSL_has_pending(ssl));
    return (ssize_t)got;
}

ssize_t dial_write(int index, const void *data, size_t size)
{
    SSL *ssl = links[index].ssl;
    if (!ssl)
        return write(links[index].fd, data, size);
    int result = SSL_write(ssl, data, (int)size);
    return result > 0 ? result : outcome(ssl, result);
}

const char *dial_cipher(void)
{
    return cipher;
}

/* --- scripts ---------------------------------------------------------------------------- */

static unsigned char *bytes_of(const char *word, size_t *size)
{
    unsigned char *made = malloc(strlen(word) / 2 + 1);
    *size = strlen(word) / 2;
    for (size_t k = 0; k < *size; k++)
        if (sscanf(word + 2 * k, "%2hhx", &made[k]) != 1)
            fail("a script is not hexadecimal", 0);
    return made;
}

static struct script *read_scripts(int count)
{
    struct script *scripts = calloc((size_t)count, sizeof *scripts);
    char *line = NULL;
    size_t room = 0;
    for (int i = 0; i < count; i++) {
        struct script *script = &scripts[i];
        if (getline(&line, &room, stdin) < 0)
            fail("has no script", i);
        for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n")) {
            char *awaited = strtok(NULL, " \n");
            size_t size = (size_t)(script->count + 1) * sizeof *script->steps;
            if (!awaited)
                fail("a frame of its script awaits nothing", i);
            script->steps = realloc(script->steps, size);
            struct step *step = &script->steps[script->count++];
            step->frame = bytes_of(word, &step->size);
            step->awaited = bytes_of(awaited, &step->prefix);
        }
    }
    free(line);
    return scripts;
}

/* --- connections ------------------------------------------------------------------------ */

static void open_link(int index, int port)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct link *link = &links[index];
    int yes = 1;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    link->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (link->fd < 0 || connect(link->fd, (struct sockaddr *)&where, sizeof where))
        fail(strerror(errno), index);
    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    fcntl(link->fd, F_SETFL, O_NONBLOCK);
    link->in = malloc(INBOX);
    if (context) {
        link->ssl = SSL_new(context);
        SSL_set_fd(link->ssl, link->fd);
    }
}

static void close_link(struct link *link)
{
    if (link->ssl) {
        SSL_shutdown(link->ssl);
        SSL_free(link->ssl);
    }
    close(link->fd);
}

/* Whether the handshake is done. */
static int shaken(int index)
{
    struct link *link = &links[index];
    char text[256] = "closed in the handshake";
    int result = SSL_connect(link->ssl);
    if (result == 1) {
        snprintf(cipher, sizeof cipher, "%s %s", SSL_get_version(link->ssl),
                 SSL_CIPHER_get_name(SSL_get_current_cipher(link->ssl)));
        return link->secure = 1;
    }
    if (outcome(link->ssl, result) < 0 && errno == EAGAIN)
        return 0;
    unsigned long error = ERR_get_error();
    if (error)
        ERR_error_string_n(error, text, sizeof text);
    fail(text, index);
    return 0;
}

/* Whether the awaited frame is among those that came; it and those before it are taken. */
static int answered(int index, const struct step *step)
{
    static const char error[] = "{\"type\":\"error\"";
    struct link *link = &links[index];
    size_t at = 0;
    int found = 0;
    while (!found && link->got - at >= 4) {
        unsigned char *head = link->in + at, *payload = head + 4;
        size_t size = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
        if (size > INBOX - 4)
            fail("that is no frame", index);
        if (link->got - at - 4 < size)
            break;
        if (size >= sizeof error - 1 && !memcmp(payload, error, sizeof error - 1)) {
            payload[size] = 0; /* what follows is not read any more; the inbox has room for it */
            fail((char *)payload, index);
        }
        found = size >= step->prefix && !memcmp(payload, step->awaited, step->prefix);
        at += 4 + size;
    }
    link->got -= at;
    memmove(link->in, link->in + at, link->got);
    return found;
}

/* Goes on with the script; whether it is done. */
static int go_on(int index, const struct script *script)
{
    struct link *link = &links[index];
    if (link->ssl && !link->secure && !shaken(index))
        return 0;
    while (link->step < script->count) {
        const struct step *step = &script->steps[link->step];
        while (link->sent < step->size) {
            ssize_t done = dial_write(index, step->frame + link->sent, step->size - link->sent);
            if (done < 0 && errno == EAGAIN)
                return 0;
            if (done <= 0)
                fail("closed", index);
            link->sent += (size_t)done;
        }
        while (!answered(index, step)) {
            ssize_t size = dial_read(index, link->in + link->got, INBOX - 1 - link->got);
            if (size < 0 && errno == EAGAIN)
                return 0;
            if (size <= 0)
                fail(size ? strerror(errno) : "closed", index);
            link->got += (size_t)size;
        }
        link->step++;
        link->sent = 0;
    }
    free(link->in);
    return 1;
}

/* Reads what came meanwhile, such as who joined later. */
static void drain(int count)
{
    unsigned char *data = malloc(INBOX);
    for (int quiet = 0; !quiet;) {
        usleep(QUIET);
        quiet = 1;
        for (int i = 0; i < count; i++)
            while (dial_read(i, data, INBOX) > 0)
                quiet = 0;
    }
    free(data);
}

void dial(int port, int tls, int count, int at_once, int scripts, int keep, int *sockets)
{
    struct script *all = read_scripts(scripts);
    struct epoll_event events[64];
    int poll = epoll_create1(0), begun = 0, done = 0;
    links = calloc((size_t)count, sizeof *links);
    if (tls) {
        context = SSL_CTX_new(TLS_client_method());
        /* Small, and few reads: the generator is not to be the bottleneck. */
        SSL_CTX_ctrl(context, SSL_CTRL_MODE,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                         SSL_MODE_RELEASE_BUFFERS,
                     NULL);
        SSL_CTX_ctrl(context, SSL_CTRL_SET_READ_AHEAD, 1, NULL);
        SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD);
    }
    while (done < count) {
        for (; begun < count && begun - done < at_once; begun++) {
            struct epoll_event want = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
                                       .data.u32 = (uint32_t)begun};
            open_link(begun, port);
            epoll_ctl(poll, EPOLL_CTL_ADD, links[begun].fd, &want);
        }
        int ready = epoll_wait(poll, events, 64, PATIENCE);
        if (ready == 0 || (ready < 0 && errno != EINTR))
            fail("no answer", done);
        for (int e = 0; e < ready; e++) {
            int index = (int)events[e].data.u32;
            if (!go_on(index, &all[index % scripts]))
                continue;
            done++;
            epoll_ctl(poll, EPOLL_CTL_DEL, links[index].fd, NULL);
            if (keep)
                sockets[index] = links[index].fd;
            else
                close_link(&links[index]);
        }
    }
    close(poll);
    if (keep)
        drain(count);
}
