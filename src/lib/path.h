/* SPDX-License-Identifier: BSD-3-Clause */
/* Directories and files named on a command line. */
#ifndef UDAX_LIB_PATH_H
#define UDAX_LIB_PATH_H

#include <stdbool.h>

/*
 * The absolute path of the directory @path, without symbolic links, dots and
 * doubled slashes; the caller frees *@canonical. 0, -ENOTDIR when it is
 * something else, or what the file system says (-ENOENT, -EACCES...).
 */
int path_canonical_dir(const char *path, char **canonical);

/* Whether canonical @path is @dir or lies below it: "/a/b" is not below "/a/bc". */
bool path_below(const char *dir, const char *path);

/*
 * Whether @path matches the shell pattern @glob: as a whole if @glob has a slash,
 * by its last part otherwise. A '*' matches slashes too.
 */
bool path_matches(const char *glob, const char *path);

#endif
