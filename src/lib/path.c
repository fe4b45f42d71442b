/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/path.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int path_canonical_dir(const char *path, char **canonical)
{
	char *p = realpath(path, NULL);
	struct stat st;
	int err;

	if (!p)
		return -errno;
	if (stat(p, &st))
		err = -errno;
	else if (!S_ISDIR(st.st_mode))
		err = -ENOTDIR;
	else {
		*canonical = p;
		return 0;
	}
	free(p);
	return err;
}

bool path_below(const char *dir, const char *path)
{
	size_t len = strlen(dir);

	/* "/" is the one canonical path that ends in a slash. */
	if (len && dir[len - 1] == '/')
		len--;
	return !strncmp(dir, path, len) && (!path[len] || path[len] == '/');
}

bool path_matches(const char *glob, const char *path)
{
	const char *last = strrchr(path, '/');

	if (!strchr(glob, '/') && last)
		path = last + 1;
	return !fnmatch(glob, path, 0);
}
