/* Takes away mounts that cover a path, and reads it: unmask [-] PATH...
   Without "-" first becomes root of a new user namespace with its own mounts (user_namespaces(7)). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif

static void show(const char *path)
{
    char text[512];
    int fd = open(path, O_RDONLY);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (size > 0)
        printf("READ %.*s\n", (int)size, text);
    else
        printf("%s: %s\n", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        printf("%s: %s\n", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

/* Try every way to see what lies below the mounts over `path`, one parent after the other. */
static void unmask(const char *path, int own_mounts)
{
    char parent[4096], inner[8192];
    strncpy(parent, path, sizeof parent - 1);
    for (;;) {
        umount2(parent, MNT_DETACH);
        umount2(parent, UMOUNT_NOFOLLOW);
        show(path);
        int tree = syscall(SYS_open_tree, AT_FDCWD, parent, 1 /* OPEN_TREE_CLONE, without what is mounted in it */);
        if (tree >= 0) {
            snprintf(inner, sizeof inner, "/proc/self/fd/%d%s", tree, path + (parent[1] ? strlen(parent) : 0));
            show(inner);
        }
        char *slash = strrchr(parent, '/');
        if (!parent[1] || (!own_mounts && slash == parent))
            break; /* what is mounted at the top belongs to the machine, not to the test */
        slash[slash == parent ? 1 : 0] = 0;
    }
    mkdir("/tmp/unmask", 0700);
    if (mount("/", "/tmp/unmask", NULL, MS_BIND, NULL) == 0) { /* not recursive: without what is mounted in it */
        snprintf(inner, sizeof inner, "/tmp/unmask%s", path);
        show(inner);
    } else
        printf("bind: %s\n", strerror(errno));
    if (mount("proc", "/tmp/unmask", "proc", 0, NULL) == 0)
        printf("mounted a new proc\n");
}

int main(int count, char **words)
{
    char map[64];
    int first = 1, user = getuid(), group = getgid();
    if (strcmp(words[1], "-") == 0)
        first = 2;
    else {
        if (unshare(CLONE_NEWUSER) < 0)
            perror("unshare user");
        put("/proc/self/setgroups", "deny");
        snprintf(map, sizeof map, "0 %d 1", user);
        put("/proc/self/uid_map", map);
        snprintf(map, sizeof map, "0 %d 1", group);
        put("/proc/self/gid_map", map);
    }
    int own_mounts = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    printf("own mounts: %d\n", own_mounts);
    for (int number = first; number < count; number++)
        unmask(words[number], own_mounts);
    for (int number = first; number < count; number++)
        show(words[number]);
    return 0;
}
