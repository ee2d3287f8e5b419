/* Changes a file's flags by the entry for 32-bit programs: chattr32 FILE. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__x86_64__)
static long call(long number, long one, long two, long three)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(one), "c"(two), "d"(three)
                     : "memory", "r8", "r9", "r10", "r11");
    return (int)result;
}

int main(int count, char **words)
{
    (void)count;
    int *flags = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    int fd = open(words[1], O_RDONLY);
    printf("get %ld\n", call(54, fd, 0x80046601, (long)flags));
    *flags |= 0x40;
    printf("set %ld\n", call(54, fd, 0x40046602, (long)flags));
    strcpy((char *)flags, words[1]);
    printf("chmod %ld\n", call(15, (long)flags, 0777, 0));
    return 0;
}
#else
int main(void)
{
    puts("there is no such entry on this machine");
    return 1;
}
#endif
