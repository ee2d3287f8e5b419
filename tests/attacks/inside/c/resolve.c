/* Asks a name server of the attacker's for a name, by the C library's own resolver: resolve HOST PORT NAME. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **words)
{
    unsigned char answer[512];
    (void)count;
    res_init();
    _res.retry = 1;
    _res.retrans = 1;
    _res.nscount = 1;
    _res.nsaddr_list[0].sin_family = AF_INET;
    _res.nsaddr_list[0].sin_port = htons(atoi(words[2]));
    inet_pton(AF_INET, words[1], &_res.nsaddr_list[0].sin_addr);
    printf("by UDP: %d, %s\n", res_query(words[3], 1, 1, answer, sizeof answer), hstrerror(h_errno));
    _res.options |= RES_USEVC;
    printf("by TCP: %d, %s\n", res_query(words[3], 1, 1, answer, sizeof answer), hstrerror(h_errno));
    return 0;
}
