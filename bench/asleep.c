/* SPDX-License-Identifier: BSD-3-Clause */
#include "asleep.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

/* Longer than any hold and any pause of a load. */
#define LOOK_MS 100

static int set_action(struct rpc *rpc, const char *action)
{
	json_t *result;
	int ret = rpc_call(rpc, "set", json_pack("{s:s}", "on_lost_wakeup", action),
			   &result);

	if (!ret)
		json_decref(result);
	return ret;
}

/* How many faults have ended, and how many are lost just now. */
static int look(struct rpc *rpc, json_int_t *ended, json_int_t *stranded)
{
	json_t *status, *faults;
	int ret = rpc_call(rpc, "get_status", NULL, &status);

	if (ret)
		return ret;
	faults = json_object_get(json_object_get(status, "counters"), "faults");
	*ended = json_integer_value(json_object_get(faults, "total"));
	*stranded = json_integer_value(json_object_get(status, "stranded"));
	json_decref(status);
	return 0;
}

/* The daemon does it in a thread of its own, and only while it is to kick. */
static int kick(struct rpc *rpc)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	json_int_t ended, stranded = 1;
	int ret = set_action(rpc, "kick");

	while (!ret && stranded) {
		nanosleep(&pause, NULL);
		ret = look(rpc, &ended, &stranded);
	}
	return ret ? ret : set_action(rpc, "report");
}

int asleep_wait(struct rpc *rpc, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	json_int_t before = -1, ended, stranded;
	int ret;

	for (;;) {
		ret = poll(&p, 1, LOOK_MS);
		if (ret)
			return ret < 0 ? -errno : 0;
		ret = look(rpc, &ended, &stranded);
		if (!ret && ended == before && stranded)
			ret = kick(rpc);
		else if (!ret && ended == before)
			return 0;
		if (ret)
			return ret;
		before = ended;
	}
}
