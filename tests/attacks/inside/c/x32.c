/* Makes, connects and writes a socket by the numbers of the x32 ABI: x32 HOST PORT TEXT. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define BIT 0x40000000L

int main(int count, char **words)
{
    (void)count;
    setvbuf(stdout, NULL, _IONBF, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(words[2]))};
    inet_pton(AF_INET, words[1], &address.sin_addr);
    long fd = syscall(BIT | SYS_socket, AF_INET, SOCK_STREAM, 0);
    printf("socket %ld\n", fd);
    if (fd < 0)
        fd = socket(AF_INET, SOCK_STREAM, 0);
    long done = syscall(BIT | SYS_connect, fd, &address, sizeof address);
    printf("connect %ld, write %ld\n", done, syscall(BIT | SYS_write, fd, words[3], strlen(words[3])));
    usleep(50000);
    return 0;
}
#else
int main(void)
{
    puts("there is no such entry on this machine");
    return 1;
}
#endif
