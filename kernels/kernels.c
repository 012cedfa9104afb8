/*
 * The kernel table: a whole scalar one first, then whatever the processor has better.
 */
#include "kernels/kernels.h"

void tt_kernels_init(tt_kernels *k, unsigned cpu)
{
    *k = (tt_kernels){
        .cpu = cpu,
        .block = 8,
        .group = 2,
        .conv = tt_conv_c,
        .conv_narrow = tt_conv_narrow_c,
        .wino_weights = tt_wino_weights_c,
        .wino_input = tt_wino_input_c,
        .wino_product = tt_wino_product_c,
        .wino_output = tt_wino_output_c,
        .act = tt_act_c,
        .axpy = tt_axpy_c,
        .clamp = tt_clamp_c,
        .mul_period = tt_mul_period_c,
        .sum_period = tt_sum_period_c,
        .count_nonfinite = tt_count_nonfinite_c,
        .nearest = tt_nearest_c,
        .shuffle = tt_shuffle_c,
        .gather = tt_gather_c,
        .tokens_load = tt_tokens_load_c,
        .tokens_store = tt_tokens_store_c,
        .layer_norm = tt_layer_norm_c,
        .linear = tt_linear_c,
        .attention = tt_attention_c,
        .affine = tt_affine_c,
        .pool = tt_pool_c,
        .blur = tt_blur_c,
        .scores_max = tt_scores_max_c,
        .scores_exp = tt_scores_exp_c,
        .from_u8 = tt_from_u8_c,
        .from_u16 = tt_from_u16_c,
        .to_u8 = tt_to_u8_c,
        .to_u16 = tt_to_u16_c,
        .affine3 = tt_affine3_c,
        .resize_v = tt_resize_v_c,
        .resize_h = tt_resize_h_c,
        .from_f16 = tt_from_f16_c,
        .from_bf16 = tt_from_bf16_c,
    };
#if defined __x86_64__ || defined __i386__
    tt_kernels_init_x86(k, cpu);
#elif defined __aarch64__
    tt_kernels_init_arm(k, cpu);
#endif
}
