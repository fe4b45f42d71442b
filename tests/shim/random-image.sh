#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Random calls on a file that is not in memory.

medium=image
. "${top_srcdir:-.}/tests/shim/random.sh"
