/* SPDX-License-Identifier: BSD-3-Clause */
/* The program of the experiment "sim": `udax-bench simload`, see sim_load.c. */
#ifndef UDAX_BENCH_SIM_LOAD_H
#define UDAX_BENCH_SIM_LOAD_H

/* FILE pages|apart|pairs THREADS PAGES STEPS HOLD_NS SEED; enum bench_exit. */
int simload_main(int argc, char **argv);

#endif
