/* Every suite of tests/, in the order they run: X(name) declares Suite *suite_name(void). */
#define SUITES(X) \
    X(kernels_conv) \
    X(kernels_elem) \
    X(kernels_move) \
    X(kernels_picture) \
    X(kernels_half) \
    X(kernels_tokens) \
    X(kernels_unet) \
    X(engine_threads) \
    X(engine_plan) \
    X(engine_weights) \
    X(engine_safetensors) \
    X(engine_pickle) \
    X(engine_pth) \
    X(engine_ncnn) \
    X(engine_mat) \
    X(engine_waifu2x_json) \
    X(engine_resize) \
    X(models_networks) \
    X(models_foreign) \
    X(models_ncnn_graph) \
    X(models_published) \
    X(src_png) \
    X(src_jpeg) \
    X(src_jpeg_damage) \
    X(src_tiles) \
    X(src_upscale) \
    X(src_compare) \
    X(src_header) \
    X(src_digest) \
    X(src_default) \
    X(src_cli) \
    X(src_files) \
    X(src_convert) \
    X(src_models) \
    X(src_fetch) \
    X(src_hostile)
