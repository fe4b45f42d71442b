/* SPDX-License-Identifier: BSD-3-Clause */
/* The standard streams of a program, as whoever started it has left them. */
#ifndef UDAX_LIB_STDIO_FDS_H
#define UDAX_LIB_STDIO_FDS_H

#include <stdbool.h>

/*
 * First of all: a file that is opened must not get the number of a standard stream
 * that is closed, or it would be read or written in its place. Programs that are
 * executed still find it closed.
 */
void stdio_fds_open(void);

/* Last of all: a full disk must not pass for success. False: output was lost. */
bool stdout_is_written(void);

#endif
