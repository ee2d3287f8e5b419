/* Changes an address in memory while the kernel, or a supervisor, looks at it.
     race connect TRIES TOKEN HOST PORT    good: a listener of its own, bad: HOST PORT
     race connect6 TRIES TOKEN HOST PORT   the same by IPv6 sockets, with IPv4 addresses in them
     race unix TRIES TOKEN GOOD BAD        paths of sockets; GOOD is made here
     race bind TRIES TOKEN ASK NAME        good: 127.0.0.1, bad: every address; ASK is where to ask to be called
   What gets through writes TOKEN; whoever listens there decides what that means. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char shared[256] __attribute__((aligned(64)));
static char good[256], bad[256];
static size_t from, until; /* which bytes of the address differ */
static volatile int over;

static void *flip(void *unused)
{
    (void)unused;
    while (!over) {
        memcpy(shared + from, bad + from, until - from);
        __asm__ volatile("" ::: "memory");
        for (volatile int wait = rand() % 64; wait; wait--)
            ;
        memcpy(shared + from, good + from, until - from);
        __asm__ volatile("" ::: "memory");
        for (volatile int wait = rand() % 64; wait; wait--)
            ;
    }
    return NULL;
}

/* Take in what connects to the good place, so that its queue never fills. */
static void *take(void *listener)
{
    for (;;) {
        int fd = accept((int)(long)listener, NULL, NULL);
        if (fd >= 0)
            close(fd);
        else if (over)
            return NULL;
    }
}

static int listener_at(int family, void *address, socklen_t size)
{
    pthread_t thread;
    int fd = socket(family, SOCK_STREAM, 0);
    if (bind(fd, address, size) < 0 || listen(fd, 4096) < 0 || getsockname(fd, address, &size) < 0) {
        perror("own listener");
        exit(1);
    }
    pthread_create(&thread, NULL, take, (void *)(long)fd);
    return fd;
}

static void inet_address(char *to, int family, const char *host, int port)
{
    char mapped[64];
    if (family == AF_INET) {
        struct sockaddr_in made = {.sin_family = AF_INET, .sin_port = htons(port)};
        inet_pton(AF_INET, host, &made.sin_addr);
        memcpy(to, &made, sizeof made);
    } else {
        struct sockaddr_in6 made = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
        snprintf(mapped, sizeof mapped, "::ffff:%s", host);
        inet_pton(AF_INET6, mapped, &made.sin6_addr);
        memcpy(to, &made, sizeof made);
    }
}

static void connect_all(int family, socklen_t size, long tries, const char *token)
{
    long connected = 0, refused = 0;
    for (long count = 0; count < tries; count++) {
        int fd = socket(family, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)shared, size) == 0) {
            connected++;
            if (write(fd, token, strlen(token)) < 0)
                refused++;
        } else
            refused++;
        close(fd);
    }
    printf("tries %ld, connected %ld, refused %ld\n", tries, connected, refused);
}

static void ask(const char *directory, const char *name, int port)
{
    char hidden[4096], path[4096];
    snprintf(hidden, sizeof hidden, "%s/.%s", directory, name);
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(hidden, "w");
    fprintf(file, "{\"do\": \"call\", \"hosts\": [\"127.0.0.2\"], \"port\": %d}", port);
    fclose(file);
    rename(hidden, path);
}

static void bind_all(long tries, char **words)
{
    long everywhere = 0, local = 0, refused = 0;
    for (long count = 0; count < tries; count++) {
        struct sockaddr_in got;
        socklen_t size = sizeof got;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (bind(fd, (struct sockaddr *)shared, sizeof got) < 0)
            refused++;
        else if (getsockname(fd, (struct sockaddr *)&got, &size) == 0 && got.sin_addr.s_addr == htonl(INADDR_ANY)) {
            if (everywhere++ == 0 && listen(fd, 8) == 0) {
                struct timeval wait = {.tv_sec = 2};
                setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
                ask(words[4], words[5], ntohs(got.sin_port));
                int caller = accept(fd, NULL, NULL);
                if (caller >= 0 && write(caller, words[3], strlen(words[3])) > 0)
                    puts("was called");
                close(caller);
            }
        } else
            local++;
        close(fd);
    }
    printf("tries %ld, on every address %ld, on loopback %ld, refused %ld\n", tries, everywhere, local, refused);
}

int main(int count, char **words)
{
    pthread_t thread;
    long tries = atol(words[2]);
    int family = strcmp(words[1], "connect6") == 0 ? AF_INET6 : AF_INET;
    (void)count;
    signal(SIGPIPE, SIG_IGN);
    if (strncmp(words[1], "connect", 7) == 0) {
        struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        listener_at(AF_INET, &own, sizeof own);
        inet_address(good, family, "127.0.0.1", ntohs(own.sin_port));
        inet_address(bad, family, words[4], atoi(words[5]));
        until = family == AF_INET ? 8 : 24;
    } else if (strcmp(words[1], "unix") == 0) {
        struct sockaddr_un *one = (void *)good, *other = (void *)bad;
        one->sun_family = other->sun_family = AF_UNIX;
        strcpy(one->sun_path, words[4]);
        strcpy(other->sun_path, words[5]);
        listener_at(AF_UNIX, one, sizeof *one);
        one->sun_family = AF_UNIX;
        from = offsetof(struct sockaddr_un, sun_path);
        until = sizeof(struct sockaddr_un);
    } else {
        inet_address(good, AF_INET, "127.0.0.1", 0);
        inet_address(bad, AF_INET, "0.0.0.0", 0);
        until = 8;
    }
    from = from ? from : 2;
    memcpy(shared, good, sizeof shared);
    pthread_create(&thread, NULL, flip, NULL);
    if (strcmp(words[1], "bind") == 0)
        bind_all(tries, words);
    else if (strcmp(words[1], "unix") == 0)
        connect_all(AF_UNIX, sizeof(struct sockaddr_un), tries, words[3]);
    else
        connect_all(family, family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6), tries, words[3]);
    over = 1;
    fflush(stdout);
    _exit(0);
}
