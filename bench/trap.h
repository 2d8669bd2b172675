/*
 * The reference for calls into emulated enclaves: UD2, stepped over by a
 * handler, with its signal and sigreturn.
 */
#ifndef BAWN_BENCH_TRAP_H
#define BAWN_BENCH_TRAP_H

#include "bench/bench.h"

/* A bench_fn; arg is not used. The handler of SIGILL is put back afterwards. */
void bench_trap(void *arg, uint64_t times);

#endif
