/* The entries of 64-bit ARM in the kernel table. */
#include "kernels/cpu.h"
#include "kernels/kernels.h"

void tt_kernels_init_arm(tt_kernels *k, unsigned cpu)
{
    if (!(cpu & TT_CPU_NEON))
        return;
    k->block = 4;
    k->group = 4;
    k->conv = tt_conv_neon;
    k->conv_narrow = tt_conv_narrow_neon;
}
