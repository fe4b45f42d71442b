/* SPDX-License-Identifier: BSD-3-Clause */
/* What main() has of udaxd, for tests of its parts; none of them comes to call it. */
#include <stdlib.h>

#include "daemon/session.h"

void logmsg(const char *fmt, ...)
{
}

void logv(const struct udaxd *d, const char *fmt, ...)
{
}

void udaxd_stop(struct udaxd *d)
{
	abort();
}
