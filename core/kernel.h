/* core/kernel.h - for the files that are compiled once for every precision and instruction set.
 *
 * The build defines KAN_KERNEL_VARIANT, say double_v3, and for the single precision KAN_KERNEL_SINGLE. Such a
 * file, named *_kernel.c, has static functions only, and ends in one table of them whose name carries the
 * variant:
 *
 *     const wide_kernel KAN_KERNEL(wide_kernel) = {.forward = forward, ..};
 *
 * The file that calls them declares all the tables, and picks one at run time:
 *
 *     KAN_KERNEL_DECLARE(double, wide_kernel, wide_kernel);
 *     KAN_KERNEL_GET(double, wide_kernel)->forward(..)
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_CORE_KERNEL_H
#define KAN_CORE_KERNEL_H

#include "core/isa.h"

/* ---- for the caller ------------------------------------------------------------------------------ */

/* Declares the tables of one kernel file in one precision (the word double or single) as an array over
 * instruction sets. */
#ifdef KAN_HAVE_X86_LEVELS
#define KAN_KERNEL_DECLARE(precision, type, name)                                                      \
    extern const type name##_##precision##_baseline, name##_##precision##_v3, name##_##precision##_v4; \
    static const type *const name##_##precision##_levels[KAN_N_ISAS] = {                               \
        &name##_##precision##_baseline, &name##_##precision##_v3, &name##_##precision##_v4}
#else
#define KAN_KERNEL_DECLARE(precision, type, name)    \
    extern const type name##_##precision##_baseline; \
    static const type *const name##_##precision##_levels[KAN_N_ISAS] = {&name##_##precision##_baseline}
#endif

/* The table for this process. */
#define KAN_KERNEL_GET(precision, name) (name##_##precision##_levels[kan_isa_get()])

/* ---- for the kernel file ------------------------------------------------------------------------- */

#ifdef KAN_KERNEL_VARIANT
#define KAN_KERNEL_PASTE(name, variant)  name##_##variant
#define KAN_KERNEL_EXPAND(name, variant) KAN_KERNEL_PASTE(name, variant)
#define KAN_KERNEL(name)                 KAN_KERNEL_EXPAND(name, KAN_KERNEL_VARIANT)

#ifdef KAN_KERNEL_SINGLE
typedef float real;
#define KAN_KERNEL_REAL_BYTES 4
#else
typedef double real;
#define KAN_KERNEL_REAL_BYTES 8
#endif

/* A vector register: what one instruction adds and multiplies. GCC and Clang compute with these as with
 * numbers; `vec_unaligned` is for loads and stores anywhere. */
#if defined __AVX512F__
#define KAN_KERNEL_VECTOR_BYTES 64
enum { VECTOR_REGISTERS = 32 };
#elif defined __AVX__
#define KAN_KERNEL_VECTOR_BYTES 32
enum { VECTOR_REGISTERS = 16 };
#else
#define KAN_KERNEL_VECTOR_BYTES 16
enum { VECTOR_REGISTERS = 16 };
#endif
#define KAN_KERNEL_LANES (KAN_KERNEL_VECTOR_BYTES / KAN_KERNEL_REAL_BYTES)
enum { VECTOR_BYTES = KAN_KERNEL_VECTOR_BYTES, LANES = KAN_KERNEL_LANES };
typedef real vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef real vec_unaligned __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));
#endif

#endif
