/*
 * The x86 entries of the kernel table. Block and group change together with the convolutions: the
 * packed weights and the rows must fit the vectors that read them.
 */
#include "kernels/cpu.h"
#include "kernels/kernels.h"

static void init_avx2(tt_kernels *k)
{
    k->block = 8;
    k->group = 2;
    k->conv = tt_conv_avx2;
    k->conv_narrow = tt_conv_narrow_avx2;
    k->wino_weights = tt_wino_weights_avx2;
    k->wino_input = tt_wino_input_avx2;
    k->wino_product = tt_wino_product_avx2;
    k->wino_output = tt_wino_output_avx2;
    k->act = tt_act_avx2;
    k->axpy = tt_axpy_avx2;
    k->clamp = tt_clamp_avx2;
    k->mul_period = tt_mul_period_avx2;
    k->sum_period = tt_sum_period_avx2;
    k->count_nonfinite = tt_count_nonfinite_avx2;
    k->nearest = tt_nearest_avx2;
    k->shuffle = tt_shuffle_avx2;
    k->tokens_load = tt_tokens_load_avx2;
    k->tokens_store = tt_tokens_store_avx2;
    k->layer_norm = tt_layer_norm_avx2;
    k->linear = tt_linear_avx2;
    k->attention = tt_attention_avx2;
    k->affine = tt_affine_avx2;
    k->pool = tt_pool_avx2;
    k->blur = tt_blur_avx2;
    k->scores_max = tt_scores_max_avx2;
    k->scores_exp = tt_scores_exp_avx2;
    k->from_u8 = tt_from_u8_avx2;
    k->from_u16 = tt_from_u16_avx2;
    k->to_u8 = tt_to_u8_avx2;
    k->to_u16 = tt_to_u16_avx2;
    k->affine3 = tt_affine3_avx2;
    k->resize_v = tt_resize_v_avx2;
    k->resize_h = tt_resize_h_avx2;
    k->from_f16 = tt_from_f16_avx2;
}

static void init_avx512(tt_kernels *k)
{
    k->block = 16;
    k->group = 4;
    k->conv = tt_conv_avx512;
    k->conv_narrow = tt_conv_narrow_avx512;
    k->wino_weights = tt_wino_weights_avx512;
    k->wino_input = tt_wino_input_avx512;
    k->wino_product = tt_wino_product_avx512;
    k->wino_output = tt_wino_output_avx512;
    k->act = tt_act_avx512;
    k->axpy = tt_axpy_avx512;
    k->clamp = tt_clamp_avx512;
    k->mul_period = tt_mul_period_avx512;
    k->sum_period = tt_sum_period_avx512;
    k->count_nonfinite = tt_count_nonfinite_avx512;
    k->nearest = tt_nearest_avx512;
    k->shuffle = tt_shuffle_avx512;
    k->tokens_load = tt_tokens_load_avx512;
    k->tokens_store = tt_tokens_store_avx512;
    k->layer_norm = tt_layer_norm_avx512;
    k->linear = tt_linear_avx512;
    k->attention = tt_attention_avx512;
    k->affine = tt_affine_avx512;
    k->pool = tt_pool_avx512;
    k->blur = tt_blur_avx512;
    k->scores_max = tt_scores_max_avx512;
    k->scores_exp = tt_scores_exp_avx512;
    k->from_u8 = tt_from_u8_avx512;
    k->from_u16 = tt_from_u16_avx512;
    k->to_u8 = tt_to_u8_avx512;
    k->to_u16 = tt_to_u16_avx512;
    k->affine3 = tt_affine3_avx512;
    k->resize_v = tt_resize_v_avx512;
    k->resize_h = tt_resize_h_avx512;
    k->from_f16 = tt_from_f16_avx512;
}

void tt_kernels_init_x86(tt_kernels *k, unsigned cpu)
{
    if (cpu & TT_CPU_AVX2)
        init_avx2(k);
    if (cpu & TT_CPU_AVX512)
        init_avx512(k);
}
