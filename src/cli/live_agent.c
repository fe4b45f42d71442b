/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The agent: a thread that takes translations away when udaxd says so (struct
 * udax_zap). It touches none of the script's memory.
 */
#include "cli/live.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/sock.h"

/* /proc/pid/pagemap: Documentation/admin-guide/mm/pagemap.rst */
#define PM_FILE		(1ULL << 61)
#define PM_PRESENT	(1ULL << 63)
#define PAGES		512

/* Pages of the file; private copies stay. */
static void zap(int pagemap, uint64_t addr, uint64_t len)
{
	uint64_t entry[PAGES], end = addr + len;

	while (addr < end) {
		uint64_t n = (end - addr) >> PAGE_SHIFT;
		ssize_t got;

		if (n > PAGES)
			n = PAGES;
		got = pread(pagemap, entry, n * sizeof(entry[0]),
			    (addr >> PAGE_SHIFT) * sizeof(entry[0]));
		if (got <= 0)
			return;		/* not mapped any more */
		n = got / sizeof(entry[0]);
		for (uint64_t i = 0; i < n; i++, addr += DAX_PAGE_SIZE)
			if ((entry[i] & (PM_FILE | PM_PRESENT)) ==
			    (PM_FILE | PM_PRESENT))
				madvise((void *)addr, DAX_PAGE_SIZE,
					MADV_DONTNEED);
	}
}

bool live_is_copy(uint64_t addr)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (pread(pagemap, &entry, sizeof(entry),
		  (addr >> PAGE_SHIFT) * sizeof(entry)) != sizeof(entry))
		entry = 0;
	close(pagemap);
	return (entry & (PM_FILE | PM_PRESENT)) == PM_PRESENT;
}

static void *agent_main(void *arg)
{
	struct live *l = arg;
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct udax_msg m;
	unsigned int nfds = 0;

	while (sock_recv(l->agent_sock, &m, sizeof(m), NULL, &nfds, 0) ==
	       sizeof(m)) {
		for (unsigned int i = 0; i < m.zap.nr && i < UDAX_ZAP_RANGES; i++)
			zap(pagemap, m.zap.range[i].addr, m.zap.range[i].len);
		m.hdr.op |= UDAX_OP_REPLY;
		m.hdr.flags = 0;
		if (sock_send(l->agent_sock, &m, sizeof(m), NULL, 0, 0))
			break;
	}
	close(pagemap);
	return NULL;
}

int live_agent_start(struct live *l, const char *socket, char *msg, size_t len)
{
	struct udax_msg m = { .hello = {
		.kind = UDAX_HELLO_AGENT, .session = l->session,
	} };
	int err;

	l->agent_sock = sock_connect(socket, SOCK_SEQPACKET, msg, len);
	if (l->agent_sock < 0)
		return l->agent_sock;
	err = live_exchange(l, l->agent_sock, &m, UDAX_OP_HELLO, NULL, 0, NULL);
	if (!err)
		err = -pthread_create(&l->agent, NULL, agent_main, l);
	if (!err)
		return 0;
	snprintf(msg, len, "udaxd does not take the agent: %s", strerror(-err));
	close(l->agent_sock);
	return err;
}

void live_agent_stop(struct live *l)
{
	shutdown(l->agent_sock, SHUT_RDWR);
	pthread_join(l->agent, NULL);
	close(l->agent_sock);
}
