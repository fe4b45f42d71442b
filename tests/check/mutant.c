/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Says what the checker finds wrong with 616 of the model that it is linked
 * with: the worst verdict and its schedule, one line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/check.h"

static enum check_finding worst;

static void run(struct checker *x, const struct check_case *c)
{
	char schedule[CHECK_SCHEDULE];
	struct check_report r;

	if (checker_run(x, c, &r))
		exit(EXIT_FAILURE);
	if (r.worst < CHECK_STRANDED || r.worst <= worst)
		return;
	worst = r.worst;
	check_schedule(c, r.steps, schedule);
	printf("%s %s\n", check_finding_name(worst), schedule);
}

int main(void)
{
	struct check_case one = {
		.protocol = "616", .nr = 1, .op = { { 'M', 0 } },
	};
	struct checker *x = checker_new(true, true, NULL);
	const struct check_litmus *l;
	struct check_report r;
	struct check_case c;

	if (!x || checker_run(x, &one, &r))
		return EXIT_FAILURE;
	if (!r.made_2m)
		printf("no2m\n");
	for (int i = 0; (l = check_litmus_nth(i)); i++) {
		check_litmus_case(l, "616", &c);
		run(x, &c);
	}
	checker_free(x);
	printf("end\n");
	return EXIT_SUCCESS;
}
