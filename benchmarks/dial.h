/* Connections that a generator makes itself, over TLS or without: what TLS keeps of a connection
 * can't be inherited as a descriptor can. Loopback alone; certificates are not checked. */
#ifndef DIAL_H
#define DIAL_H

#include <sys/types.h>

/* Makes `count` connections to 127.0.0.1:port, `at_once` at a time, and goes through a script with
 * each. Standard input has `scripts` lines, of which connection i gets number i modulo `scripts`:
 *
 *     frame awaited [frame awaited …]
 *
 * in hexadecimal: a frame as it is sent, then how the payload begins that ends the waiting for an
 * answer; other frames are ignored, an error is fatal. With `keep` the connections stay, in order
 * in `sockets` (non-blocking, nothing unread); else each is closed at the end of its script.
 * What can't go on ends the process with exit code 1 and a line on standard error. */
void dial(int port, int tls, int count, int at_once, int scripts, int keep, int *sockets);

/* Like read(2) and write(2) on a connection that was kept, by its number. What dial_read leaves
 * unread it has when asked at once for more, though no poll may tell: ask until less than `size`
 * comes. */
ssize_t dial_read(int index, void *data, size_t size);
ssize_t dial_write(int index, const void *data, size_t size);

/* `TLSv1.3 TLS_AES_256_GCM_SHA384`, or `none`. */
const char *dial_cipher(void);

#endif
