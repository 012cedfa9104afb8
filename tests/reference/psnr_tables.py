#!/usr/bin/env python3
"""The papers' tables, recomputed from what the program writes.

  psnr_tables.py --program build/tintype --weights FOLDER --images FOLDER [--set14] [--rgb]

FOLDERs hold the published files and set5/ (set14/), as tests/models/test_published.c names them; they are no part of
tintype. Needs numpy and pillow.

Luma networks, as the papers measure: Y rounded to bytes, cropped to a multiple of the scale, reduced by MATLAB's
bicubic and enlarged by it (neither rounded), through `tintype run`, rounded, `scale` pixels cut off. RGB networks: the
picture reduced by bicubic and rounded to bytes, through `tintype upscale`, PSNR on Y.
"""
import argparse
import os
import shutil
import subprocess
import tempfile

import numpy as np
from PIL import Image

import imageproc
import safetensors_io as st

LUMA = [  # name, file, scales
    ("SRCNN 9-5-5", "srcnn/9-5-5_ImageNet_x{}.mat", (2, 3, 4)),
    ("SRCNN 9-3-5", "srcnn/9-3-5_ImageNet_x{}.mat", (3,)),
    ("SRCNN 9-1-5", "srcnn/9-1-5_91images_x{}.mat", (3,)),
    ("VDSR", "vdsr/VDSR_Official.mat", (2, 3, 4)),
]
RGB = [  # name, file, scale
    ("waifu2x vgg_7 art", "waifu2x/vgg_7_art/scale2.0x_model.json.gz", 2),
    ("waifu2x upconv_7 art", "waifu2x/models-upconv_7_anime_style_art_rgb/scale2.0x_model.param", 2),
    ("waifu2x upconv_7 photo, noise1", "waifu2x/models-upconv_7_photo/noise1_scale2.0x_model.param", 2),
    ("waifu2x cunet", "waifu2x/models-cunet/scale2.0x_model.param", 2),
    ("animevideov3-x2", "realesrgan/realesr-animevideov3-x2.param", 2),
    ("upscayl-lite-4x", "realesrgan/upscayl-lite-4x.param", 4),
    ("animevideov3-x4", "realesrgan/realesr-animevideov3-x4.param", 4),
    ("realesrgan-x4plus", "realesrgan/realesrgan-x4plus.param", 4),
]


def psnr(a, b, cut):
    d = (np.asarray(a, float) - b)[cut:-cut, cut:-cut]
    return 10 * np.log10(255 ** 2 / np.mean(d * d))


def luma_bytes(rgb):
    """MATLAB's rgb2ycbcr on bytes; a gray picture is its own luma."""
    return rgb if rgb.ndim == 2 else imageproc.rgb2ycbcr_u8(rgb)[..., 0]


def luma(rgb):
    return imageproc.rgb2ycbcr(np.asarray(rgb, float) / 255)[..., 0] * 255


def to_bytes(x):
    return np.clip(np.floor(x + 0.5), 0, 255)


class Program:
    def __init__(self, path, folder):
        self.path, self.folder = path, folder

    def call(self, *args):
        subprocess.run([self.path, *args], check=True, stderr=subprocess.PIPE)

    def run(self, model, y):
        a, b = os.path.join(self.folder, "in.safetensors"), os.path.join(self.folder, "out.safetensors")
        st.save(a, {"input": y[None, None].astype("<f4")})
        self.call("run", "--quiet", "--overwrite", "-m", model, a, b)
        return st.load(b)["output"][0, 0].astype(float)

    def upscale(self, model, rgb):
        a, b = os.path.join(self.folder, "in.png"), os.path.join(self.folder, "out.png")
        Image.fromarray(rgb).save(a)
        self.call("upscale", "--quiet", "--overwrite", "-m", model, a, "-o", b)
        return np.asarray(Image.open(b))


def pictures(folder):
    for name in sorted(os.listdir(folder)):
        if name.endswith(".png"):
            yield name[:-4], np.asarray(Image.open(os.path.join(folder, name)))


def show(label, values):
    print(f"| {label} | " + " | ".join(f"{v:.2f}" for v in values + [np.mean(values)]) + " |", flush=True)


def luma_table(program, weights, images, name):
    print(f"{name}: each picture in the order of its name, then the mean")
    for title, file, scales in LUMA:
        for s in scales:
            values = []
            for _, rgb in pictures(os.path.join(images, name)):
                y = imageproc.modcrop(luma_bytes(rgb).astype(float), s)
                low = imageproc.imresize(imageproc.imresize(y / 255, 1 / s), s)
                values.append(psnr(to_bytes(program.run(os.path.join(weights, file.format(s)), low) * 255), y, s))
            show(f"{title} x{s}", values)


def rgb_table(program, weights, images):
    for title, file, s in RGB:
        values = []
        for _, rgb in pictures(os.path.join(images, "set5")):
            rgb = imageproc.modcrop(rgb, s)
            low = to_bytes(imageproc.imresize(rgb.astype(float), 1 / s)).astype(np.uint8)
            values.append(psnr(luma(program.upscale(os.path.join(weights, file), low)), luma(rgb), s))
        show(f"{title} x{s}", values)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--program", required=True)
    ap.add_argument("--weights", required=True)
    ap.add_argument("--images", required=True)
    ap.add_argument("--set14", action="store_true")
    ap.add_argument("--rgb", action="store_true")
    a = ap.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = Program(os.path.abspath(a.program), folder)
        weights = os.path.abspath(a.weights)
        # the x2 graph is published with the x4 file's weights under its own name
        lone = os.path.join(weights, "realesrgan", "realesr-animevideov3-x2.param")
        if os.path.exists(lone) and not os.path.exists(lone[:-6] + ".bin"):
            shutil.copytree(weights, os.path.join(folder, "weights"), symlinks=True)
            weights = os.path.join(folder, "weights")
            subprocess.run(["chmod", "-R", "u+w", weights], check=True)
            x4 = os.path.join(weights, "realesrgan", "realesr-animevideov3-x4.bin")
            shutil.copy(x4, x4.replace("x4", "x2"))
        if a.rgb:
            rgb_table(program, weights, a.images)
        else:
            luma_table(program, weights, a.images, "set14" if a.set14 else "set5")


if __name__ == "__main__":
    main()
