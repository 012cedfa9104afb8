/*
 * The entries of 64-bit ARM in the kernel table. A block is a vector, as on x86, and a group as many as the tile of the
 * convolution has.
 */
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
    k->wino_weights = tt_wino_weights_neon;
    k->wino_input = tt_wino_input_neon;
    k->wino_product = tt_wino_product_neon;
    k->wino_output = tt_wino_output_neon;
    k->act = tt_act_neon;
    k->axpy = tt_axpy_neon;
    k->clamp = tt_clamp_neon;
    k->mul_period = tt_mul_period_neon;
    k->sum_period = tt_sum_period_neon;
    k->count_nonfinite = tt_count_nonfinite_neon;
    k->nearest = tt_nearest_neon;
    k->shuffle = tt_shuffle_neon;
    k->tokens_load = tt_tokens_load_neon;
    k->tokens_store = tt_tokens_store_neon;
    k->layer_norm = tt_layer_norm_neon;
    k->linear = tt_linear_neon;
    k->attention = tt_attention_neon;
    k->affine = tt_affine_neon;
    k->pool = tt_pool_neon;
    k->blur = tt_blur_neon;
    k->scores_max = tt_scores_max_neon;
    k->scores_exp = tt_scores_exp_neon;
    k->from_u8 = tt_from_u8_neon;
    k->from_u16 = tt_from_u16_neon;
    k->to_u8 = tt_to_u8_neon;
    k->to_u16 = tt_to_u16_neon;
    k->affine3 = tt_affine3_neon;
    k->resize_v = tt_resize_v_neon;
    k->resize_h = tt_resize_h_neon;
    k->from_f16 = tt_from_f16_neon;
}
