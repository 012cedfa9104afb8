/* What the device can do, for shares of it: multiplications and additions in registers, and bytes moved. No part of a
 * network: vectors of floats, whatever maps are made of. COLS items. */

__kernel void spin(ARGUMENTS)
{
    __global const int *t = table + at;
    const int i = (int)get_global_id(0);
    if (i >= t[COLS])
        return;
    vec z[8];
    for (int j = 0; j < 8; j++)
        z[j] = (vec)((float)(i + j));
    const vec a = (vec)(0.9999f), b = (vec)(NUMBER(OWN));
    for (int n = 0; n < t[ROWS]; n++)
        for (int j = 0; j < 8; j++)
            z[j] = MULADD(z[j], a, b);
    ((__global vec *)out)[i] = z[0] + z[1] + z[2] + z[3] + z[4] + z[5] + z[6] + z[7];
}

__kernel void move(ARGUMENTS)
{
    __global const int *t = table + at;
    const int i = (int)get_global_id(0);
    if (i < t[COLS])
        ((__global vec *)out)[t[COLS] + i] = ((__global const vec *)in)[i];
}
