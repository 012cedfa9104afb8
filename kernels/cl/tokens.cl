/* Transformers: a pixel is a token. Linear layers are convolutions of 1x1. Twins: kernels/tokens.c. */

/* Ba et al., "Layer Normalization", 2016: over the channels of one pixel. */
__kernel void layer_norm(ARGUMENTS)
{
    __global const int *t = table + at;
    const int x = (int)get_global_id(0), y = (int)get_global_id(1) + first, channels = t[NORM_CHANNELS];
    if (x >= t[COLS] || y >= t[ROWS])
        return;
    float mean = 0.0f, variance = 0.0f;
    for (int c = 0; c < channels; c++)
        mean += lane_of(in, t + X, c, y, x);
    mean /= (float)channels;
    for (int c = 0; c < channels; c++) {
        const float d = lane_of(in, t + X, c, y, x) - mean;
        variance += d * d;
    }
    const float share = 1.0f / sqrt(variance / (float)channels + NUMBER(NORM_EPS));
    /* gain and shift are zero in lanes without a channel, and what lies there is finite */
    for (int b = 0; b < t[BLOCKS]; b++)
        PUT(out, place(t + OUT, b, y, x),
            (GET(in, place(t + X, b, y, x)) - (vec)(mean)) * (vec)(share) * weights[t[NORM_GAIN] + b] +
                weights[t[NORM_SHIFT] + b]);
}

/*
 * One head of one query (Vaswani et al., "Attention Is All You Need", 2017, equation 1, with a bias for each offset) within
 * the window that holds it; the first of the grid is cut, and so are those at the far edges. Global block: the head.
 * Twice over the keys: for the largest score, then for the sum.
 */
__kernel void window_attention(ARGUMENTS)
{
    __global const int *t = table + at;
    const int x = (int)get_global_id(0), y = (int)get_global_id(1) + first, head = (int)get_global_id(2);
    const int heads = t[WINDOW_HEADS], depth = t[WINDOW_DEPTH], window = t[WINDOW_SIZE];
    if (x >= t[COLS] || y >= t[ROWS] || head >= heads)
        return;
    const int before = t[WINDOW_SHIFT] ? window - t[WINDOW_SHIFT] : 0, side = 2 * window - 1;
    const int y0 = (y + before) / window * window - before, x0 = (x + before) / window * window - before;
    const int from_y = max(y0, 0), to_y = min(y0 + window, t[ROWS]), from_x = max(x0, 0), to_x = min(x0 + window, t[COLS]);
    const int q_at = head * depth, k_at = (heads + head) * depth, v_at = (2 * heads + head) * depth;
    const float scale = 1.0f / sqrt((float)depth);
    __global const float *bias = (__global const float *)(weights + t[WINDOW_TABLE]) + head;
    float q[WINDOW_MOST_DEPTH], z[WINDOW_MOST_DEPTH];
    for (int d = 0; d < depth; d++) {
        q[d] = lane_of(in, t + X, q_at + d, y, x);
        z[d] = 0.0f;
    }
    float most = -INFINITY, sum = 0.0f;
    for (int pass = 0; pass < 2; pass++)
        for (int j = from_y; j < to_y; j++)
            for (int i = from_x; i < to_x; i++) {
                float s = 0.0f;
                for (int d = 0; d < depth; d++)
                    s += q[d] * lane_of(in, t + X, k_at + d, j, i);
                s = scale * s + bias[((y - j + window - 1) * side + x - i + window - 1) * heads];
                if (!pass) {
                    most = fmax(most, s);
                    continue;
                }
                const float e = exp(s - most);
                sum += e;
                for (int d = 0; d < depth; d++)
                    z[d] += e * lane_of(in, t + X, v_at + d, j, i);
            }
    for (int d = 0; d < depth; d++)
        PUT1(out, lane_at(t + OUT, q_at + d, y, x), z[d] / sum);
    /* the lanes behind the last channel, once */
    for (int c = heads * depth; head == 0 && c < t[BLOCKS] * LANES; c++)
        PUT1(out, lane_at(t + OUT, c, y, x), 0.0f);
}
