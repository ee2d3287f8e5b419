/* Set-user-ID root in the test: setuid_probe FILE TEXT writes where only root can. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **words)
{
    (void)count;
    printf("user %d, effective %d\n", getuid(), geteuid());
    int fd = open(words[1], O_WRONLY | O_APPEND);
    if (fd < 0 || write(fd, words[2], strlen(words[2])) < 0)
        perror(words[1]);
    return 0;
}
