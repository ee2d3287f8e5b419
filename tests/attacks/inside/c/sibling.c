/* Leaves a process whose parent is this one's parent: sibling FILE SECONDS (clone(2): CLONE_PARENT). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static char *words[3];
static char stack[65536];

static int stay(void *unused)
{
    (void)unused;
    /* Two generations more, each a sibling of the one before. */
    static int generation;
    if (generation++ < 2) {
        clone(stay, stack + sizeof stack / (generation + 1) / 16 * 16, CLONE_PARENT | SIGCHLD, NULL);
        return 0;
    }
    setsid();
    for (int fd = 0; fd < 1024; fd++)
        close(fd);
    for (int beat = 0; beat < atoi(words[2]) * 20; beat++) {
        int fd = open(words[1], O_WRONLY | O_CREAT | O_APPEND, 0644);
        if (write(fd, "beat\n", 5) < 0)
            break;
        close(fd);
        usleep(50000);
    }
    return 0;
}

int main(int count, char **given)
{
    (void)count;
    words[1] = given[1];
    words[2] = given[2];
    if (clone(stay, stack + sizeof stack, CLONE_PARENT | SIGCHLD, NULL) < 0)
        perror("clone");
    return 0;
}
