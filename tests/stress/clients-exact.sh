#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# clients.sh with --track exact: programs that die or execute while their agent
# is asked for something.
track=exact
. "${top_srcdir:-.}/tests/stress/clients.sh"
