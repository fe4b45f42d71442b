#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# As nohuge.sh, on a file system that is not memory.
medium=image
. "${top_srcdir:-.}/tests/e2e/nohuge.sh"
