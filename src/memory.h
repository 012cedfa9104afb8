/* How much memory work may take. */
#ifndef TT_SRC_MEMORY_H
#define TT_SRC_MEMORY_H

#include <stdint.h>

/*
 * The least of: the machine's memory, the limits of this process's control groups (v1 and v2) and of the
 * process itself (RLIMIT_AS). `root` stands before the paths read: "" but in tests. `physical`: 0 to ask
 * the system.
 */
uint64_t tt_memory_limit(const char *root, uint64_t physical);
/* The budget where the user gives none: 60 % of that. */
uint64_t tt_memory_default(void);

#endif
