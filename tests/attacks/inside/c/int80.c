/* Makes, connects and writes a socket by the entry for 32-bit programs: int80 HOST PORT TEXT. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__x86_64__)
/* 32-bit numbers: arch/x86/entry/syscalls/syscall_32.tbl */
enum { WRITE = 4, SOCKETCALL = 102, SOCKET = 359, CONNECT = 362 };

static long call(long number, long one, long two, long three)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(one), "c"(two), "d"(three)
                     : "memory", "r8", "r9", "r10", "r11");
    return (int)result;
}

static void all(char *low, char *text, int by_number)
{
    unsigned *arguments = (unsigned *)low;
    struct sockaddr *address = (struct sockaddr *)(low + 256);
    long fd;
    if (by_number)
        fd = call(SOCKET, AF_INET, SOCK_STREAM, 0);
    else {
        arguments[0] = AF_INET, arguments[1] = SOCK_STREAM, arguments[2] = 0;
        fd = call(SOCKETCALL, 1, (long)arguments, 0);
    }
    printf("socket %ld\n", fd);
    if (fd < 0)
        fd = socket(AF_INET, SOCK_STREAM, 0);
    if (by_number)
        printf("connect %ld\n", call(CONNECT, fd, (long)address, sizeof(struct sockaddr_in)));
    else {
        arguments[0] = fd, arguments[1] = (unsigned)(long)address, arguments[2] = sizeof(struct sockaddr_in);
        printf("connect %ld\n", call(SOCKETCALL, 3, (long)arguments, 0));
    }
    strcpy(low + 512, text);
    printf("write %ld\n", call(WRITE, fd, (long)(low + 512), strlen(text)));
    fflush(stdout);
    usleep(50000);
}

int main(int count, char **words)
{
    (void)count;
    setvbuf(stdout, NULL, _IONBF, 0);
    char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    struct sockaddr_in *address = (struct sockaddr_in *)(low + 256);
    address->sin_family = AF_INET;
    address->sin_port = htons(atoi(words[2]));
    inet_pton(AF_INET, words[1], &address->sin_addr);
    all(low, words[3], 1);
    all(low, words[3], 0);
    return 0;
}
#else
int main(void)
{
    puts("there is no such entry on this machine");
    return 1;
}
#endif
