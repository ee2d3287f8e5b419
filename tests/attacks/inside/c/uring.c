/* Makes, connects and writes a socket by io_uring alone: uring HOST PORT TEXT.
   What is checked is whether filters of system calls see it; the operations are those of io_uring_enter(2). */
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef IORING_OP_SOCKET
#define IORING_OP_SOCKET 45
#endif

static int ring;
static struct io_uring_params parameters;
static unsigned char *queue;
static struct io_uring_sqe *entries;

/* Submit one operation and return its result. */
static int submit(struct io_uring_sqe operation)
{
    unsigned *tail = (unsigned *)(queue + parameters.sq_off.tail);
    unsigned mask = *(unsigned *)(queue + parameters.sq_off.ring_mask);
    unsigned *array = (unsigned *)(queue + parameters.sq_off.array);
    unsigned slot = *tail & mask;
    entries[slot] = operation;
    array[slot] = slot;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0) {
        perror("io_uring_enter");
        exit(1);
    }
    unsigned *head = (unsigned *)(queue + parameters.cq_off.head);
    unsigned done = *(unsigned *)(queue + parameters.cq_off.ring_mask);
    struct io_uring_cqe *results = (struct io_uring_cqe *)(queue + parameters.cq_off.cqes);
    int result = results[*head & done].res;
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    return result;
}

int main(int count, char **words)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(words[2]))};
    inet_pton(AF_INET, words[1], &address.sin_addr);
    (void)count;
    ring = syscall(SYS_io_uring_setup, 4, &parameters);
    if (ring < 0) {
        perror("io_uring_setup");
        return 1;
    }
    queue = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
    entries = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
    struct io_uring_sqe make = {.opcode = IORING_OP_SOCKET, .fd = AF_INET, .off = SOCK_STREAM};
    int fd = submit(make);
    printf("socket %d\n", fd);
    if (fd < 0)
        fd = socket(AF_INET, SOCK_STREAM, 0);
    struct io_uring_sqe reach = {.opcode = IORING_OP_CONNECT, .fd = fd, .addr = (unsigned long)&address, .off = sizeof address};
    printf("connect %d\n", submit(reach));
    struct io_uring_sqe send_it = {.opcode = IORING_OP_SEND, .fd = fd, .addr = (unsigned long)words[3], .len = strlen(words[3])};
    printf("send %d\n", submit(send_it));
    usleep(100000);
    return 0;
}
