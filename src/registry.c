/*
 * Sizes and SHA-256: those that the authors or independent public catalogues state. Where a row has none,
 * none was found. A row is a file.
 */
#include "src/registry.h"

#include <string.h>

/* clang-format off */

#define YES TT_COMMERCIAL_YES
#define NO TT_COMMERCIAL_NO
#define UNSTATED TT_COMMERCIAL_UNSTATED

#define GITHUB "https://github.com/"

/* Wang et al. 2021, and what came with its releases; the files for ncnn are in archives there */
#define REAL_ESRGAN(name, network, uses, scale, tag, size, sha256) \
    {name, network, uses, scale, size, sha256, GITHUB "xinntao/Real-ESRGAN/releases/download/" tag "/" name, \
     NULL, "BSD-3-Clause", YES, NULL}
#define REAL_ESRGAN_NCNN(name, network, uses, scale, size, sha256) \
    {name, network, uses, scale, size, sha256, NULL, \
     "inside the ncnn archives of " GITHUB "xinntao/Real-ESRGAN/releases/tag/v0.2.5.0", "BSD-3-Clause", YES, \
     NULL}
/* Wang et al. 2018, and copies that others keep */
#define ESRGAN(name, uses, scale, size, sha256, where, licence, commercial, note) \
    {name, "RRDBNet", uses, scale, size, sha256, NULL, where, licence, commercial, note}
#define ESRGAN_FOLDER "in the authors' cloud folder, linked from " GITHUB "xinntao/ESRGAN"
#define OPENMODELDB "through the links of https://openmodeldb.info"
/* Zhang et al. 2021 and copies of others' files; Ji et al. 2020 */
#define KAIR(name, uses, scale, size, sha256, licence, note) \
    {name, "RRDBNet", uses, scale, size, sha256, GITHUB "cszn/KAIR/releases/download/v1.0/" name, NULL, \
     licence, YES, note}
#define REALSR(name, id, size, sha256) \
    {name, "RRDBNet", "photo", 4, size, sha256, NULL, \
     "on Google Drive, https://drive.google.com/file/d/" id, "Apache-2.0", YES, NULL}
/* Liang et al. 2021 */
#define SWINIR(name, network, uses, scale, size, sha256) \
    {name, network, uses, scale, size, sha256, GITHUB "JingyunLiang/SwinIR/releases/download/v0.0/" name, \
     NULL, "Apache-2.0", YES, NULL}
/* nagadomi's networks: JSON of the original, and ncnn's pairs of .param and .bin. Their own names stand for a
 * file in each folder, so the folder goes before them. */
#define WAIFU2X(folder, file, network, uses, scale, size, sha256) \
    {"waifu2x-" folder "-" file, network, uses, scale, size, sha256, \
     GITHUB "nihui/waifu2x-ncnn-vulkan/raw/HEAD/models/models-" folder "/" file, NULL, "MIT", YES, NULL}
#define WAIFU2X_JSON(style, file, uses, scale, size, sha256) \
    {"waifu2x-vgg_7-" style "-" file, "waifu2x vgg_7", uses, scale, size, sha256, \
     GITHUB "nagadomi/waifu2x/raw/HEAD/models/vgg_7/" style "/" file, NULL, "MIT", YES, NULL}
/* Dong et al. 2014, 2016 */
#define SRCNN(name, network, scale, file, size, sha256) \
    {name, network, "photo", scale, size, sha256, \
     GITHUB "thomas-koehler/SupER/raw/HEAD/matlab/algorithms/SRAlgorithms/SRCNN/model/" file, NULL, NULL, \
     UNSTATED, \
     "by the authors of http://mmlab.ie.cuhk.edu.hk/projects/SRCNN.html, who state no licence; kept in a " \
     "repository under MIT"}
/* Wan et al. 2020 */
#define OLD_PHOTO(name, network, uses, zip, path, sha256) \
    {name, network, uses, 0, 0, sha256, NULL, "in the archive " GITHUB \
     "microsoft/Bringing-Old-Photos-Back-to-Life/releases/download/v1.0/" zip " as checkpoints/" path, \
     "MIT", UNSTATED, "the README also speaks of academic research only"}

const tt_official tt_officials[] = {
    /* Real-ESRGAN */
    REAL_ESRGAN("RealESRGAN_x4plus.pth", "RRDBNet", "photo", 4, "v0.1.0", 67040989,
     "4fa0d38905f75ac06eb49a7951b426670021be3018265fd191d2125df9d682f1"),
    REAL_ESRGAN("RealESRNet_x4plus.pth", "RRDBNet", "photo", 4, "v0.1.1", 67040989,
     "a820b9bde89a874d7599d545567308ce6c128fc8754a53208eda016d40aa81df"),
    REAL_ESRGAN("RealESRGAN_x2plus.pth", "RRDBNet", "photo", 2, "v0.2.1", 67061725,
     "49fafd45f8fd7aa8d31ab2a22d14d91b536c34494a5cfe31eb5d89c2fa266abb"),
    REAL_ESRGAN("RealESRGAN_x4plus_anime_6B.pth", "RRDBNet, 6 blocks", "anime", 4, "v0.2.2.4", 17938799,
     "f872d837d3c90ed2e05227bed711af5671a6fd1c9f7d7e91c911a61f155e99da"),
    REAL_ESRGAN("realesr-animevideov3.pth", "SRVGGNetCompact", "anime", 4, "v0.2.5.0", 2504012,
     "b8a8376811077954d82ca3fcf476f1ac3da3e8a68a4f4d71363008000a18b75d"),
    REAL_ESRGAN("realesr-general-x4v3.pth", "SRVGGNetCompact", "photo", 4, "v0.2.5.0", 4885111,
     "8dc7edb9ac80ccdc30c3a5dca6616509367f05fbc184ad95b731f05bece96292"),
    REAL_ESRGAN("realesr-general-wdn-x4v3.pth", "SRVGGNetCompact", "photo denoise", 4, "v0.2.5.0", 4885111,
     "1641f8c4464b9f097c9fdda5589273713f67cf59f3d909e0bd688f0cee269dca"),
    REAL_ESRGAN("RealESRGANv2-animevideo-xsx2.pth", "SRVGGNetCompact", "anime", 2, "v0.2.3.0", 2419014,
     "27985aa2198711ecd72f9bb274ec7b164e018fc9ce2933daaa7c7ab36a2bd3fe"),
    REAL_ESRGAN("RealESRGANv2-animevideo-xsx4.pth", "SRVGGNetCompact", "anime", 4, "v0.2.3.0", 2502086,
     "5e04b111c16d5b40deb8f8062d09fdff72fa80281fb9607be23b62650c08daff"),
    {"ESRGAN_SRx4_DF2KOST_official-ff704c30.pth", "RRDBNet", "photo", 4, 0, NULL,
     GITHUB "xinntao/Real-ESRGAN/releases/download/v0.1.1/ESRGAN_SRx4_DF2KOST_official-ff704c30.pth", NULL,
     "Apache-2.0", YES, "its SHA-256 begins with ff704c30"},
    REAL_ESRGAN_NCNN("realesrgan-x4plus.param", "RRDBNet, ncnn", "photo", 4, 116029,
     "35330ececcea33b6c397a72548e788d5d53becee4734c50b7fada36e89f10a86"),
    REAL_ESRGAN_NCNN("realesrgan-x4plus.bin", "RRDBNet, ncnn", "photo", 4, 33424520,
     "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf"),
    REAL_ESRGAN_NCNN("realesr-animevideov3-x4.param", "SRVGGNetCompact, ncnn", "anime", 4, 3077,
     "850a248e7c14c27e5bd8cf7265113a9441036a7db63963bb8aa5169d788a435e"),
    REAL_ESRGAN_NCNN("realesr-animevideov3-x4.bin", "SRVGGNetCompact, ncnn", "anime", 4, 1247368,
     "548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d"),
    REAL_ESRGAN_NCNN("realesr-animevideov3-x2.param", "SRVGGNetCompact, ncnn", "anime", 2, 3173,
     "b88ff4f00ebf019a7fdac17fdd45a7fd3665d37509efc5baf2e4da2e24420a04"),

    /* ESRGAN, and what has its shape */
    ESRGAN("RRDB_ESRGAN_x4.pth", "photo", 4, 0, NULL, ESRGAN_FOLDER, "Apache-2.0", YES, NULL),
    ESRGAN("RRDB_PSNR_x4.pth", "photo", 4, 0, NULL, ESRGAN_FOLDER, "Apache-2.0", YES, NULL),
    ESRGAN("RRDB_ESRGAN_x4_old_arch.pth", "photo", 4, 0, NULL, ESRGAN_FOLDER, "Apache-2.0", YES, NULL),
    ESRGAN("RRDB_PSNR_x4_old_arch.pth", "photo", 4, 0, NULL, ESRGAN_FOLDER, "Apache-2.0", YES, NULL),
    ESRGAN("4x-ESRGAN.pth", "photo", 4, 66952991,
     "545805ce2d861ee90972b5fa50b851f19ee4bb35dedd2eb090be1f7c935b6b00", OPENMODELDB, "Apache-2.0", YES,
     NULL),
    ESRGAN("1x-ESRGAN.pth", "", 1, 66656830,
     "25e733e2b0d6ada63b07ace241e0f1065cec0d08945d6b20b9d46cc88bfa8b5d", OPENMODELDB, NULL, UNSTATED,
     "community, to begin training from"),
    ESRGAN("2x-ESRGAN.pth", "", 2, 66804909,
     "fedd0660312effd7febb8c06a4ac0304eaee5ca119b508895a95b0aa11ba6310", OPENMODELDB, NULL, UNSTATED,
     "community, to begin training from"),
    ESRGAN("8x-ESRGAN.pth", "", 8, 67101075,
     "885d9fa1eadb277b5157f97d3fdd3893d7fb78f91331fc8a8bf9a3e4a9dd4651", OPENMODELDB, NULL, UNSTATED,
     "community, to begin training from"),
    ESRGAN("16x-ESRGAN.pth", "", 16, 67249159,
     "8701acac21c4c412a3e05242b389700c1248ff52314380793c045326f4c61dfb", OPENMODELDB, NULL, UNSTATED,
     "community, to begin training from"),
    ESRGAN("4x-NMKD-YandereNeo-Superlite.pth", "", 4, 6376496,
     "9d584ad24087472ffb24f8e2c0ec797838b1d2ed4b8a71a503e72235155120e1", OPENMODELDB, "WTFPL", YES,
     "community, 2 blocks"),
    ESRGAN("4x-Valar.pth", "", 4, 0,
     "90c3192bef43e4baaa095c04751868065f23c52d98c1b42e6d0916bfeda75646", OPENMODELDB, "CC0-1.0", YES,
     "community, ESRGAN+"),
    KAIR("BSRGAN.pth", "photo", 4, 67046751,
     "5d505a0766160921e0388d76e1ddf08cb114303990f9080432bf2b1c988b1c54", "MIT or Apache-2.0",
     "the repository says MIT, OpenModelDB Apache-2.0"),
    KAIR("BSRGANx2.pth", "photo", 2, 66894171,
     "614f68bcafcf123a1ea51cc75ae5741640a8b1d49dd75757ad3ad531f772c736", "MIT or Apache-2.0",
     "the repository says MIT, OpenModelDB Apache-2.0"),
    KAIR("RealSR_JPEG.pth", "photo jpeg", 4, 0, NULL, "Apache-2.0", "a mirror of RealSR DF2K-JPEG"),
    KAIR("RealSR_DPED.pth", "photo", 4, 0, NULL, "Apache-2.0", "a mirror of RealSR DPED"),
    REALSR("RealSR-DF2K.pth", "1pWGfSw-UxOkrtbh14GeLQgYnMLdLguOF", 66921375,
     "a3df4ebdb3ff9fba08133b69fcfdd7965793957036c2b1a648d8440e737c39ac"),
    REALSR("RealSR-DF2K-JPEG.pth", "1w8QbCLM6g-MMVlIhRERtSXrP-Dh7cPhm", 66923491,
     "e186c60a3c8a0af07f79ffb99ffa5b3083af27978b6fcf4bec0327cb91031f9f"),
    REALSR("RealSR-DPED.pth", "1zZIuQSepFlupV103AatoP-JSJpwJFS19", 66923471,
     "b39f06be1aea3349a2d4ea584262e7baa5f62a54d9be3247c12b7823c3aa72a0"),

    /* SwinIR */
    SWINIR("001_classicalSR_DIV2K_s48w8_SwinIR-M_x2.pth", "SwinIR-M", "photo", 2, 59019939,
     "ac6d4895f73aa1b3d563937e29dcedcfdff4d401280e248f23db3c6f68e8343b"),
    SWINIR("001_classicalSR_DIV2K_s48w8_SwinIR-M_x3.pth", "SwinIR-M", "photo", 3, 59758497,
     "d835497f2332aae839ae19a033290ced8686fa2a795f76fc5153ec2c83003f75"),
    SWINIR("001_classicalSR_DIV2K_s48w8_SwinIR-M_x4.pth", "SwinIR-M", "photo", 4, 59611499,
     "129dc773ba2d4c07f3eb0bb116fbe692011b7cc072d9ca12797cd3748198610a"),
    SWINIR("001_classicalSR_DIV2K_s48w8_SwinIR-M_x8.pth", "SwinIR-M", "photo", 8, 60202999,
     "3c3ae9238a7125e52aab457df052aa8981adb2fb8e42b6d4112a96b3c19432d7"),
    SWINIR("001_classicalSR_DF2K_s64w8_SwinIR-M_x2.pth", "SwinIR-M", "photo", 2, 67277475,
     "2032ebf8f401dd3ce2fae5f3852117cb72101ec6ed8358faa64c2a3fa09ed4ac"),
    SWINIR("001_classicalSR_DF2K_s64w8_SwinIR-M_x3.pth", "SwinIR-M", "photo", 3, 68016035,
     "6eca3aee41f53322cd2f5a13650e212b80be8f3c0439d6fe19aef13ab1f509c7"),
    SWINIR("001_classicalSR_DF2K_s64w8_SwinIR-M_x4.pth", "SwinIR-M", "photo", 4, 67869037,
     "4e78e33f22c1aa8a773db0cf4a7381bae97c2362c717f155439ebc690cbd9215"),
    SWINIR("001_classicalSR_DF2K_s64w8_SwinIR-M_x8.pth", "SwinIR-M", "photo", 8, 68460535,
     "6b522c1ea5c21006ce3398797eb20b131ca0024cc6e7b8f3d5d29fad1310a49c"),
    SWINIR("002_lightweightSR_DIV2K_s64w8_SwinIR-S_x2.pth", "SwinIR-S", "photo", 2, 17147989,
     "193b229909ca89cd8b55de9c9e7fce146ae759d59dfcd78d8feb9dd1d6fa0fd7"),
    SWINIR("002_lightweightSR_DIV2K_s64w8_SwinIR-S_x3.pth", "SwinIR-S", "photo", 3, 17180437,
     "53af0cf0b15876752c1c2646a71444f739523b3d562e126d200521a817ab5d2c"),
    SWINIR("002_lightweightSR_DIV2K_s64w8_SwinIR-S_x4.pth", "SwinIR-S", "photo", 4, 17225941,
     "09fad24e32ae62722e1a055efde9921328f4137981bab0a42a4a3a806306c58e"),
    SWINIR("003_realSR_BSRGAN_DFO_s64w8_SwinIR-M_x2_GAN.pth", "SwinIR-M", "photo", 2, 66974517,
     "f397408977a3e07eb06afb7238d453a12ef35ebab7328a54241f307860dbe342"),
    SWINIR("003_realSR_BSRGAN_DFO_s64w8_SwinIR-M_x4_GAN.pth", "SwinIR-M", "photo", 4, 67129861,
     "b9afb61e65e04eb7f8aba5095d070bbe9af28df76acd0c9405aeb33b814bcfc6"),
    SWINIR("003_realSR_BSRGAN_DFOWMFC_s64w8_SwinIR-L_x4_GAN.pth", "SwinIR-L", "photo", 4, 142473939,
     "99adfa91350a84c99e946c1eb3d8fce34bc28f57d807b09dc8fe40a316328c0a"),
    SWINIR("003_realSR_BSRGAN_DFO_s64w8_SwinIR-M_x2_PSNR.pth", "SwinIR-M", "photo", 2, 0, NULL),
    SWINIR("003_realSR_BSRGAN_DFO_s64w8_SwinIR-M_x4_PSNR.pth", "SwinIR-M", "photo", 4, 0, NULL),
    SWINIR("003_realSR_BSRGAN_DFOWMFC_s64w8_SwinIR-L_x4_PSNR.pth", "SwinIR-L", "photo", 4, 0, NULL),
    SWINIR("004_grayDN_DFWB_s128w8_SwinIR-M_noise15.pth", "SwinIR-M", "photo denoise", 1, 0, NULL),
    SWINIR("004_grayDN_DFWB_s128w8_SwinIR-M_noise25.pth", "SwinIR-M", "photo denoise", 1, 0, NULL),
    SWINIR("004_grayDN_DFWB_s128w8_SwinIR-M_noise50.pth", "SwinIR-M", "photo denoise", 1, 0, NULL),
    SWINIR("005_colorDN_DFWB_s128w8_SwinIR-M_noise15.pth", "SwinIR-M", "photo denoise", 1, 0, NULL),
    SWINIR("005_colorDN_DFWB_s128w8_SwinIR-M_noise25.pth", "SwinIR-M", "photo denoise", 1, 0, NULL),
    SWINIR("005_colorDN_DFWB_s128w8_SwinIR-M_noise50.pth", "SwinIR-M", "photo denoise", 1, 0, NULL),
    SWINIR("006_CAR_DFWB_s126w7_SwinIR-M_jpeg10.pth", "SwinIR-M", "photo jpeg", 1, 0, NULL),
    SWINIR("006_CAR_DFWB_s126w7_SwinIR-M_jpeg20.pth", "SwinIR-M", "photo jpeg", 1, 0, NULL),
    SWINIR("006_CAR_DFWB_s126w7_SwinIR-M_jpeg30.pth", "SwinIR-M", "photo jpeg", 1, 0, NULL),
    SWINIR("006_CAR_DFWB_s126w7_SwinIR-M_jpeg40.pth", "SwinIR-M", "photo jpeg", 1, 0, NULL),
    SWINIR("006_colorCAR_DFWB_s126w7_SwinIR-M_jpeg10.pth", "SwinIR-M", "photo jpeg", 1, 0, NULL),
    SWINIR("006_colorCAR_DFWB_s126w7_SwinIR-M_jpeg20.pth", "SwinIR-M", "photo jpeg", 1, 0, NULL),
    SWINIR("006_colorCAR_DFWB_s126w7_SwinIR-M_jpeg30.pth", "SwinIR-M", "photo jpeg", 1, 0, NULL),
    SWINIR("006_colorCAR_DFWB_s126w7_SwinIR-M_jpeg40.pth", "SwinIR-M", "photo jpeg", 1, 0, NULL),

    /* waifu2x */
    WAIFU2X("cunet", "scale2.0x_model.param", "waifu2x cunet, ncnn", "anime", 2, 7249,
     "ccc3b2f1c9fad829ecdda40cac8dc853fcddf14917170efba888b256fbf9074a"),
    WAIFU2X("cunet", "scale2.0x_model.bin", "waifu2x cunet, ncnn", "anime", 2, 2776400,
     "d82ed30207fd07e1c16726a9ca838ce44e6e25a105b0278c7ca681516ee0e18e"),
    WAIFU2X("cunet", "noise0_model.param", "waifu2x cunet, ncnn", "anime denoise", 1, 0, NULL),
    WAIFU2X("cunet", "noise0_model.bin", "waifu2x cunet, ncnn", "anime denoise", 1, 2767568,
     "b15c356a36bcbf6fb8c2f1404ca016fd917d4e45426bcf41f7a3867022fdd7b0"),
    WAIFU2X("cunet", "noise1_model.param", "waifu2x cunet, ncnn", "anime denoise", 1, 0, NULL),
    WAIFU2X("cunet", "noise1_model.bin", "waifu2x cunet, ncnn", "anime denoise", 1, 2767568,
     "3407cb87c2503cbd69f8a6703b31bc4949a72080a3e1b1e536dba8bdbfad934f"),
    WAIFU2X("cunet", "noise2_model.param", "waifu2x cunet, ncnn", "anime denoise", 1, 0, NULL),
    WAIFU2X("cunet", "noise2_model.bin", "waifu2x cunet, ncnn", "anime denoise", 1, 2767568,
     "b45d5febeb56166b7aff055cb0fbb87647dae528968f97d838dfd7ce0b7117f4"),
    WAIFU2X("cunet", "noise3_model.param", "waifu2x cunet, ncnn", "anime denoise", 1, 0, NULL),
    WAIFU2X("cunet", "noise3_model.bin", "waifu2x cunet, ncnn", "anime denoise", 1, 2767568,
     "cd3d2440673d28d7a20aa6428a2a79e1c5e733f21de0a66785958f98d6994926"),
    WAIFU2X("cunet", "noise0_scale2.0x_model.param", "waifu2x cunet, ncnn", "anime denoise", 2, 0, NULL),
    WAIFU2X("cunet", "noise0_scale2.0x_model.bin", "waifu2x cunet, ncnn", "anime denoise", 2, 2776400,
     "5329a9375c9cfb64a60a2903fd8ae6e2851d9b069556bf025dbab9d0216fb27c"),
    WAIFU2X("cunet", "noise1_scale2.0x_model.param", "waifu2x cunet, ncnn", "anime denoise", 2, 0, NULL),
    WAIFU2X("cunet", "noise1_scale2.0x_model.bin", "waifu2x cunet, ncnn", "anime denoise", 2, 2776400,
     "862c0e40f3df956ff57bd4d168c85dea5d375b614077fdddd3ac8cfdb9a686da"),
    WAIFU2X("cunet", "noise2_scale2.0x_model.param", "waifu2x cunet, ncnn", "anime denoise", 2, 0, NULL),
    WAIFU2X("cunet", "noise2_scale2.0x_model.bin", "waifu2x cunet, ncnn", "anime denoise", 2, 2776400,
     "5c836e6ae022636cdd5590fbb66dbca2a5fc20bbf8e628884c3612ef72d51858"),
    WAIFU2X("cunet", "noise3_scale2.0x_model.param", "waifu2x cunet, ncnn", "anime denoise", 2, 0, NULL),
    WAIFU2X("cunet", "noise3_scale2.0x_model.bin", "waifu2x cunet, ncnn", "anime denoise", 2, 2776400,
     "f42c18610fecb14a40f75cca9b9276a6889689d5937a4f75f0c2b21bde7e49ed"),
    WAIFU2X("upconv_7_anime_style_art_rgb", "scale2.0x_model.param", "waifu2x upconv_7, ncnn", "anime", 2,
     1047, "413195ffde05b4d43807792c6c020c916cecdf25dcf002ee83f5e28d5cc246c6"),
    WAIFU2X("upconv_7_anime_style_art_rgb", "scale2.0x_model.bin", "waifu2x upconv_7, ncnn", "anime", 2,
     1106248, "27d880903ff81390a3b4a900b67af3381c465279e34297546c9a58781855f7ef"),
    WAIFU2X("upconv_7_anime_style_art_rgb", "noise0_scale2.0x_model.param", "waifu2x upconv_7, ncnn",
     "anime denoise", 2, 0, NULL),
    WAIFU2X("upconv_7_anime_style_art_rgb", "noise0_scale2.0x_model.bin", "waifu2x upconv_7, ncnn",
     "anime denoise", 2, 1106248, "e1d2c4d91be98e72c0d48d08626cbe7d879aa2b80f740133dcc0d860eabb4189"),
    WAIFU2X("upconv_7_anime_style_art_rgb", "noise1_scale2.0x_model.param", "waifu2x upconv_7, ncnn",
     "anime denoise", 2, 0, NULL),
    WAIFU2X("upconv_7_anime_style_art_rgb", "noise1_scale2.0x_model.bin", "waifu2x upconv_7, ncnn",
     "anime denoise", 2, 1106248, "536fd7070b023463d30bd105f675acf301760dce539f2fb974bd06906045514f"),
    WAIFU2X("upconv_7_anime_style_art_rgb", "noise2_scale2.0x_model.param", "waifu2x upconv_7, ncnn",
     "anime denoise", 2, 0, NULL),
    WAIFU2X("upconv_7_anime_style_art_rgb", "noise2_scale2.0x_model.bin", "waifu2x upconv_7, ncnn",
     "anime denoise", 2, 1106248, "435f9082425c4520d3586757411ac409b1d67e428ed37ec571feb06f823e245e"),
    WAIFU2X("upconv_7_anime_style_art_rgb", "noise3_scale2.0x_model.param", "waifu2x upconv_7, ncnn",
     "anime denoise", 2, 0, NULL),
    WAIFU2X("upconv_7_anime_style_art_rgb", "noise3_scale2.0x_model.bin", "waifu2x upconv_7, ncnn",
     "anime denoise", 2, 1106248, "3e783a9117d4564fbd0cc376375b29d7eb05bd2e457f748898e82eefb1ace2f1"),
    WAIFU2X("upconv_7_photo", "scale2.0x_model.param", "waifu2x upconv_7, ncnn", "photo", 2, 0, NULL),
    WAIFU2X("upconv_7_photo", "scale2.0x_model.bin", "waifu2x upconv_7, ncnn", "photo", 2, 1106248,
     "25a2bb25b29e43e63179aac216cd87690791243a436328506d4ef9fca88ee962"),
    WAIFU2X("upconv_7_photo", "noise0_scale2.0x_model.param", "waifu2x upconv_7, ncnn", "photo denoise", 2,
     0, NULL),
    WAIFU2X("upconv_7_photo", "noise0_scale2.0x_model.bin", "waifu2x upconv_7, ncnn", "photo denoise", 2,
     1106248, "fbfc8d57e4333748c9c6db2ec4d5454c98cd1c6aa53289f2989c3bdb4e84b673"),
    WAIFU2X("upconv_7_photo", "noise1_scale2.0x_model.param", "waifu2x upconv_7, ncnn", "photo denoise", 2,
     1047, "413195ffde05b4d43807792c6c020c916cecdf25dcf002ee83f5e28d5cc246c6"),
    WAIFU2X("upconv_7_photo", "noise1_scale2.0x_model.bin", "waifu2x upconv_7, ncnn", "photo denoise", 2,
     1106248, "9f8ce2c4df1ed862a7441e3b49ad965b8e34aaa6d87c1cad52a1768210fdfee6"),
    WAIFU2X("upconv_7_photo", "noise2_scale2.0x_model.param", "waifu2x upconv_7, ncnn", "photo denoise", 2,
     0, NULL),
    WAIFU2X("upconv_7_photo", "noise2_scale2.0x_model.bin", "waifu2x upconv_7, ncnn", "photo denoise", 2,
     1106248, "432ca8f62ffc4873794a399ded70b17af23aa870b25e5ddba76f029b7ce14c2b"),
    WAIFU2X("upconv_7_photo", "noise3_scale2.0x_model.param", "waifu2x upconv_7, ncnn", "photo denoise", 2,
     0, NULL),
    WAIFU2X("upconv_7_photo", "noise3_scale2.0x_model.bin", "waifu2x upconv_7, ncnn", "photo denoise", 2,
     1106248, "a24379eb4e954005da1804223f428e67340e3f0037e4f7b9f568f0d0f20e9f20"),
    WAIFU2X_JSON("art", "scale2.0x_model.json", "anime", 2, 5550777,
     "6b36d5673110d4bbe088bb43167f86a3e83c92549f22c7c4d1cff0acc90989ae"),
    WAIFU2X_JSON("art", "noise0_model.json", "anime denoise", 1, 0, NULL),
    WAIFU2X_JSON("art", "noise1_model.json", "anime denoise", 1, 0, NULL),
    WAIFU2X_JSON("art", "noise2_model.json", "anime denoise", 1, 0, NULL),
    WAIFU2X_JSON("art", "noise3_model.json", "anime denoise", 1, 0, NULL),
    WAIFU2X_JSON("photo", "scale2.0x_model.json", "photo", 2, 0, NULL),
    WAIFU2X_JSON("photo", "noise0_model.json", "photo denoise", 1, 0, NULL),
    WAIFU2X_JSON("photo", "noise1_model.json", "photo denoise", 1, 0, NULL),
    WAIFU2X_JSON("photo", "noise2_model.json", "photo denoise", 1, 0, NULL),
    WAIFU2X_JSON("photo", "noise3_model.json", "photo denoise", 1, 0, NULL),
    {"waifu2x_pretrained_models_20250502.zip", "waifu2x, all", "anime photo denoise", 0, 0, NULL, NULL,
     "an archive to unzip, " GITHUB
     "nagadomi/nunif/releases/download/0.0.0/waifu2x_pretrained_models_20250502.zip", "MIT", YES,
     "holds the newer waifu2x networks as .pth, pretrained_models/cunet/art/scale2x.pth say"},

    /* SRCNN and VDSR */
    SRCNN("SRCNN-9-5-5-x2.mat", "SRCNN 9-5-5", 2, "9-5-5(ImageNet)/x2.mat", 268933,
     "dc06d52ab0ecfb75a4222a33c06c2c23287cf67abbd75b869a178f6305f8cdc1"),
    SRCNN("SRCNN-9-5-5-x3.mat", "SRCNN 9-5-5", 3, "9-5-5(ImageNet)/x3.mat", 267591,
     "fa2ee366d328b942b971c80c24f48dc2b015d5ed4b5790070f720ccfb6ab1578"),
    SRCNN("SRCNN-9-5-5-x4.mat", "SRCNN 9-5-5", 4, "9-5-5(ImageNet)/x4.mat", 269001,
     "3f94150d24e5b60dab2b74f4eaf358aefdc72cbe724d86990435bf877ed452ed"),
    SRCNN("SRCNN-9-3-5-x3.mat", "SRCNN 9-3-5", 3, "9-3-5(ImageNet)/x3.mat", 115087,
     "d798df50cf1e1b265ae63204da726fd6bf8b0e42c6dd2f18d5fe618576eec553"),
    SRCNN("SRCNN-9-1-5-x3.mat", "SRCNN 9-1-5", 3, "9-1-5(91%20images)/x3.mat", 38483,
     "ef05325a96221ab9399db844bc833f687796a1078bfa6aacc6930bde60ca5b10"),
    {"SRCNN-9-1-5-x2.mat", "SRCNN 9-1-5", "photo", 2, 38625,
     "51b748297e8669832a4ad27cc4b7eebc6d65d37a77bcb19bef23c1b5f972ea12", NULL,
     "in the older package of the authors, http://mmlab.ie.cuhk.edu.hk/projects/SRCNN.html", NULL, UNSTATED,
     NULL},
    {"SRCNN-9-1-5-x4.mat", "SRCNN 9-1-5", "photo", 4, 38489,
     "717c2c6f5196a95959f98953f84a359e56fc415eba190b5db016b25896e74862", NULL,
     "in the older package of the authors, http://mmlab.ie.cuhk.edu.hk/projects/SRCNN.html", NULL, UNSTATED,
     NULL},
    {"VDSR_Official.mat", "VDSR", "photo", 0, 2490083,
     "f613166660840af1a2ca47e31b0337b951e7c4e094364f6135a16d81a55c323c",
     GITHUB "huangzehao/caffe-vdsr/raw/HEAD/Test/VDSR_Official.mat", NULL, NULL, UNSTATED,
     "by the authors of https://cv.snu.ac.kr/research/VDSR, who state no licence; converted in a "
     "repository under MIT; 2x, 3x and 4x in one"},
    {"model_epoch_50.pth", "VDSR without biases", "photo", 0, 2680962,
     "eab4d79ae5a6e5acef4c55e46015aed225ade207679bcb6695b07af8fb18e876",
     GITHUB "twtygqyy/pytorch-vdsr/raw/HEAD/model/model_epoch_50.pth", NULL, "MIT", YES,
     "trained anew by others; 2x, 3x and 4x in one"},

    /* DeOldify: Antic 2018 */
    {"ColorizeArtistic_gen.pth", "DeOldify artistic", "colour", 0, 255144681,
     "3f750246fa220529323b85a8905f9b49c0e5d427099185334d048fb5b5e22477",
     "https://data.deepai.org/deoldify/ColorizeArtistic_gen.pth", NULL, "MIT", YES,
     "the SHA-256 is that which several projects pin; the author publishes none"},
    {"ColorizeStable_gen.pth", "DeOldify stable", "colour", 0, 874066230,
     "ca9cd7f43fb8b222c9a70f7b292e305a000694b0ff9d2ae4a6747b1a2e1ee5af",
     "https://www.dropbox.com/s/axsd2g85uyixaho/ColorizeStable_gen.pth?dl=1", NULL, "MIT", YES,
     "the SHA-256 is that which several projects pin; the author publishes none"},
    {"ColorizeVideo_gen.pth", "DeOldify video", "colour", 0, 874066230,
     "e3d98bb6a222354c79f95485c2f078a89dc724e9183662506d9e0f5aafac83ad",
     "https://data.deepai.org/deoldify/ColorizeVideo_gen.pth", NULL, "MIT", YES,
     "the SHA-256 is that which several projects pin; the author publishes none"},

    /* Bringing Old Photos Back to Life; the folder goes before what is called alike */
    OLD_PHOTO("VAE_A_quality-latest_net_G.pth", "old photos, domain VAE", "photo scratches",
     "global_checkpoints.zip", "restoration/VAE_A_quality/latest_net_G.pth", NULL),
    OLD_PHOTO("VAE_B_quality-latest_net_G.pth", "old photos, domain VAE", "photo scratches",
     "global_checkpoints.zip", "restoration/VAE_B_quality/latest_net_G.pth", NULL),
    OLD_PHOTO("VAE_B_scratch-latest_net_G.pth", "old photos, domain VAE", "photo scratches",
     "global_checkpoints.zip", "restoration/VAE_B_scratch/latest_net_G.pth", NULL),
    OLD_PHOTO("mapping_quality-latest_net_mapping_net.pth", "old photos, mapping", "photo",
     "global_checkpoints.zip", "restoration/mapping_quality/latest_net_mapping_net.pth", NULL),
    OLD_PHOTO("mapping_scratch-latest_net_mapping_net.pth", "old photos, mapping", "photo scratches",
     "global_checkpoints.zip", "restoration/mapping_scratch/latest_net_mapping_net.pth", NULL),
    OLD_PHOTO("mapping_Patch_Attention-latest_net_mapping_net.pth", "old photos, mapping",
     "photo scratches", "global_checkpoints.zip",
     "restoration/mapping_Patch_Attention/latest_net_mapping_net.pth", NULL),
    OLD_PHOTO("FT_Epoch_latest.pt", "old photos, scratch detector", "scratches", "global_checkpoints.zip",
     "detection/FT_Epoch_latest.pt", "b2d7ab04e9b3885c6b1991bb7a0b823129dd6e3ac078a9fd059ebd2a7ba59a95"),
    OLD_PHOTO("Setting_9_epoch_100-latest_net_G.pth", "old photos, face refiner 256", "faces",
     "face_checkpoints.zip", "Setting_9_epoch_100/latest_net_G.pth", NULL),
    OLD_PHOTO("FaceSR_512-latest_net_G.pth", "old photos, face refiner 512", "faces",
     "face_checkpoints.zip", "FaceSR_512/latest_net_G.pth", NULL),
    {"shape_predictor_68_face_landmarks.dat", "dlib, 68 points of a face", "faces", 0, 99693937,
     "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f", NULL,
     "packed with bzip2 at http://dlib.net/files/shape_predictor_68_face_landmarks.dat.bz2, unpacked in "
     "Debian's package libdlib-data", NULL, NO,
     "trained on iBUG 300-W, whose licence excludes commercial use"},
    {"face_detection_yunet_2023mar.onnx", "YuNet", "faces", 0, 0,
     "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4", NULL,
     "in the OpenCV Zoo, " GITHUB "opencv/opencv_zoo", "MIT", YES, NULL},
    {0}};

/* clang-format on */

const tt_official *tt_official_named(const char *name)
{
    for (const tt_official *o = tt_officials; o->name; o++)
        if (!strcmp(o->name, name))
            return o;
    return NULL;
}

const tt_official *tt_official_summed(const char *sha256)
{
    for (const tt_official *o = tt_officials; o->name; o++)
        if (o->sha256 && !strcmp(o->sha256, sha256))
            return o;
    return NULL;
}

bool tt_official_is(const tt_official *o, const char *word)
{
    const size_t n = strlen(word);
    return n && !strncmp(o->name, word, n) && (!o->name[n] || o->name + n == strrchr(o->name, '.'));
}

const tt_official *tt_official_next(const tt_official *after, const char *word)
{
    for (const tt_official *o = after ? after + 1 : tt_officials; o->name; o++)
        if (tt_official_is(o, word))
            return o;
    return NULL;
}

const char *tt_commercial_text(tt_commercial c)
{
    return c == TT_COMMERCIAL_YES ? "yes" : c == TT_COMMERCIAL_NO ? "no" : "not stated";
}
