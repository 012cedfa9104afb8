#!/usr/bin/python3
"""Train tintype's embedded default 2x network (models/default/default_x2.safetensors).

Needs Debian 12's python3-torch, python3-numpy and python3-pil, and apt-get, dpkg-deb and a Debian mirror for the
training pictures (they come from five wallpaper packages, 190 MB, downloaded and unpacked, never installed). No GPU.
Run from the repository root with the system's Python (/usr/bin/python3):

    /usr/bin/python3 tools/train/train.py data   --work ../train-work          # download, cut and degrade: 1 minute
    /usr/bin/python3 tools/train/train.py train  --work ../train-work          # the long one, see models/README.md for the time
    /usr/bin/python3 tools/train/train.py export --work ../train-work --out models/default/default_x2.safetensors
    /usr/bin/python3 tools/train/train.py eval   --model models/default/default_x2.safetensors --set5 ../shared/images/set5
    /usr/bin/python3 tools/train/train.py sample --work ../train-work --out examples/sample.jpg

`train` writes a checkpoint every 1000 iterations and goes on from it when started again (the same patches in the same
order, so an interrupted run gives what an uninterrupted one gives up to the order of float additions).
`--iters` may be changed between two starts as long as the learning rate has not begun to fall.

The figures to expect are in models/README.md. Everything is seeded; a run on another machine or with another
number of threads differs in the last bits of the sums and ends within a few hundredths of a dB.
"""
import argparse
import fnmatch
import glob
import io
import json
import math
import os
import re
import struct
import subprocess
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image, ImageOps

SEED = 20261124
NF, NUM_CONV, SCALE = 32, 8, 2             # width, inner convolutions, enlargement
LR_PATCH, BATCH = 40, 10                   # low-resolution patch side and patches per step
POOL = 60000                               # pairs cut in advance
PEAK_LR, WARMUP, DECAY = 2e-3, 500, 0.35   # Adam step size; share of the run in which it falls linearly to 0
EMA = 0.999

# ----------------------------------------------------------------------------------------------- where the pictures are

WALL, BACK, MATE = "usr/share/wallpapers/%s/contents/images/%s", "usr/share/backgrounds/%s", "usr/share/backgrounds/mate/%s"
PHOTOS = {
    "lomiri-wallpapers-16.04": [BACK % f for f in (
        "Bridge_by_Sander_Klootwijk.jpg", "Dragonfly_by_Bolly.jpg", "Picture_0B_by_freespace.jpg", "Wine_by_Jakkub_Mede.jpg",
        "aitzgorri_by_Aitzol_Berasategi.jpg", "free_by_Peter_Nerlich.jpg", "friends_by_Aitzol_Berasategi.jpg",
        "greentock_by_Peter_Nerlich.jpg", "life_by_Aitzol_Berasategi.jpg", "picosdeeuropa_by_Aitzol_Berasategi.jpg",
        "seeding_by_Clements_Engelhardt.jpg", "sunset_by_Aitzol_Berasategi.jpg")],
    "mate-backgrounds": [MATE % f for f in (
        "nature/Blinds.jpg", "nature/Dune.jpg", "nature/FreshFlower.jpg", "nature/Garden.jpg",
        "nature/GreenMeadow.jpg", "nature/RainDrops.jpg", "nature/TwoWings.jpg", "nature/Wood.jpg",
        "nature/YellowFlower.jpg")],
    "plasma-workspace-wallpapers": [WALL % (d, f) for d, f in (
        ("ColdRipple", "2560x1600.jpg"), ("ColorfulCups", "2560x1600.jpg"), ("EveningGlow", "2560x1600.jpg"),
        ("FallenLeaf", "2560x1600.jpg"), ("Grey", "2560x1600.jpg"), ("Kite", "2560x1600.jpg"),
        ("OneStandsOut", "2560x1600.jpg"), ("Path", "2560x1600.jpg"))],
}
DRAWN = {                                  # paintings and vector-like pictures: sharp edges, a small share
    "lomiri-wallpapers-20.04": [BACK % "Painting-Colors_by__herobrine7gamer.jpg"],
    "mate-backgrounds": [MATE % f for f in ("abstract/Elephants_5640x3172.jpg", "abstract/Flow.png")],
    "plasma-workspace-wallpapers": [WALL % (d, f) for d, f in (
        ("Autumn", "2560x1600.jpg"), ("Altai", "5120x2880.png"), ("Cascade", "3840x2160.png"),
        ("Flow", "5120x2880.jpg"), ("Honeywave", "5120x2880.jpg"), ("SafeLanding", "5120x2880.jpg"),
        ("Shell", "5120x2880.jpg"))],
    "ukui-wallpapers": [BACK % f for f in ("firstgeneration.jpg", "goldfish.png", "string.jpg", "2004default.jpg")],
}
HELD_OUT = {                               # validation only
    "lomiri-wallpapers-16.04": [BACK % "Picture_1A_by_freespace.jpg"],
    "lomiri-wallpapers-20.04": [BACK % "Kleiber_by_Lukas_Baubkus.jpg"],
    "mate-backgrounds": [MATE % "nature/LadyBird.jpg"],
    "plasma-workspace-wallpapers": [WALL % ("BytheWater", "2560x1600.jpg")],
}
DRAWN_SHARE = 0.18


def fetch(work, pkg):
    """Download a Debian package (once) and unpack it; returns (folder, version)."""
    os.makedirs(f"{work}/debs", exist_ok=True)
    deb = glob.glob(f"{work}/debs/{pkg}_*.deb")
    if not deb:
        subprocess.run(["apt-get", "download", pkg], cwd=f"{work}/debs", check=True)
        deb = glob.glob(f"{work}/debs/{pkg}_*.deb")
    root = f"{work}/pkg/{pkg}"
    if not os.path.isdir(root):
        os.makedirs(root)
        subprocess.run(["dpkg-deb", "-x", deb[0], root], check=True)
    return root, subprocess.check_output(["dpkg-deb", "-f", deb[0], "Version"], text=True).strip()


def licence_of(root, pkg, path):
    """The licence debian/copyright gives for a picture, and the one in the wallpaper's own metadata if there is any."""
    found = "?"
    for name in ("copyright", "copyright.gz"):
        f = f"{root}/usr/share/doc/{pkg}/{name}"
        if os.path.exists(f):
            text = subprocess.check_output(["zcat", "-f", f], text=True, errors="replace")
            for para in re.split(r"\n\s*\n", text):
                pats = re.search(r"^Files:((?:.*\n)(?:[ \t]+.*\n)*)", para + "\n", re.M)
                lic = re.search(r"^License:[ \t]*(\S+)", para, re.M)
                if pats and lic and any(
                        fnmatch.fnmatch(path, "*" + p) or os.path.basename(p) == os.path.basename(path)
                        for p in pats.group(1).split()):
                    found = lic.group(1)   # the last matching paragraph wins
    meta = glob.glob(f"{root}/{path.split('/contents/')[0]}/metadata.json") if "/contents/" in path else []
    if meta:
        own = json.load(open(meta[0]))["KPlugin"].get("License")
        found += f" (its metadata: {own})" if own and own != found else ""
    return found


def load(path):
    im = ImageOps.exif_transpose(Image.open(path))
    if im.mode in ("RGBA", "LA", "P"):     # transparent parts on a plain colour
        im = im.convert("RGBA")
        im = Image.alpha_composite(Image.new("RGBA", im.size, (70, 90, 105, 255)), im)
    return im.convert("RGB")


# --------------------------------------------------------------------------------------------------- MATLAB's arithmetic

def imresize(img, scale):
    """MATLAB imresize(img, scale, 'bicubic'): antialiased when shrinking, edges mirrored, double precision."""
    img = np.asarray(img, np.float64)
    k = min(scale, 1.0)
    for ax in (0, 1):
        n = img.shape[ax]
        u = np.arange(1, math.ceil(n * scale) + 1) / scale + 0.5 * (1 - 1 / scale)
        idx = np.floor(u - 2 / k)[:, None] + np.arange(math.ceil(4 / k) + 2)
        a = np.abs(k * (u[:, None] - idx))
        w = np.where(a <= 1, (1.5 * a - 2.5) * a * a + 1, np.where(a <= 2, ((-0.5 * a + 2.5) * a - 4) * a + 2, 0))
        w /= w.sum(1, keepdims=True)
        mirror = np.concatenate([np.arange(n), np.arange(n)[::-1]])
        idx = mirror[((idx - 1) % (2 * n)).astype(int)]
        m = np.moveaxis(img, ax, 0)
        out = 0
        for t in range(idx.shape[1]):
            if w[:, t].any():
                out = out + w[:, t].reshape(-1, *[1] * (m.ndim - 1)) * m[idx[:, t]]
        img = np.moveaxis(out, 0, ax)
    return img


def u8(x):
    return np.clip(np.floor(np.asarray(x) + 0.5), 0, 255).astype(np.uint8)


def luma(rgb):
    """MATLAB rgb2ycbcr's Y, 16..235, not rounded."""
    return np.asarray(rgb, np.float64) @ np.array([65.481, 128.553, 24.966]) / 255 + 16


def psnr_y(a, b, cut=SCALE):
    d = (luma(a) - luma(b))[cut:-cut, cut:-cut]
    return 10 * math.log10(255 ** 2 / np.mean(d * d))


def jpeg(img, quality, subsampling=2):
    buf = io.BytesIO()
    Image.fromarray(img).save(buf, "JPEG", quality=int(quality), subsampling=subsampling)
    return np.asarray(Image.open(buf).convert("RGB"))


# ------------------------------------------------------------------------------------------------------------------ data

def sharp_versions(path, rng):
    """The picture shrunk by several factors (so that it is sharp and free of JPEG traces), even sides."""
    im = load(path)
    short = min(im.size)
    for want in (1300, 900, 640, 480, 360):
        s = min(want / short, 0.62) * rng.uniform(0.88, 1.0)
        size = [max(2, int(round(v * s)) // 2 * 2) for v in im.size]
        filt = (Image.LANCZOS, Image.LANCZOS, Image.BICUBIC, Image.BOX)[rng.integers(4)]
        yield np.asarray(im.resize(size, filt))


def degrade(lr, rng):
    """Half of the calls clean, 35 % JPEG, 15 % noise of which half then JPEG."""
    r = rng.random()
    if r < 0.5:
        return lr
    x = lr
    if r >= 0.85:
        sigma = rng.uniform(0, 6)
        shape = x.shape if rng.random() < 0.7 else x.shape[:2] + (1,)
        x = u8(x + rng.normal(0, sigma, shape))
    if r < 0.925:
        x = jpeg(x, rng.integers(40, 96), 2 if rng.random() < 0.8 else 0)
    return x


def cut_patches(hr, count, rng, out):
    """Cut `count` degraded pairs, preferring texture, from one picture."""
    lr = u8(imresize(hr, 0.5))
    y = luma(lr)
    g = np.abs(np.diff(y, axis=0))[:, :-1] + np.abs(np.diff(y, axis=1))[:-1]
    sums = np.pad(g.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    p, h, w = LR_PATCH, *lr.shape[:2]
    while count > 0:
        # a region with its own degradation and its own JPEG block grid, a few patches from it
        rh, rw = min(h, 160), min(w, 160)
        y0, x0 = rng.integers(h - rh + 1), rng.integers(w - rw + 1)
        bad = degrade(np.ascontiguousarray(lr[y0:y0 + rh, x0:x0 + rw]), rng)
        for _ in range(8):
            py, px = rng.integers(rh - p + 1), rng.integers(rw - p + 1)
            a, b = y0 + py, x0 + px
            e = (sums[a + p - 1, b + p - 1] - sums[a, b + p - 1] - sums[a + p - 1, b] + sums[a, b]) / (p - 1) ** 2
            if count > 0 and rng.random() < min(1, max(0.03, e / 14)):
                out(bad[py:py + p, px:px + p], hr[2 * a:2 * (a + p), 2 * b:2 * (b + p)])
                count -= 1


def cmd_data(a):
    rng = np.random.default_rng(SEED)
    lr_pool = np.empty((POOL, LR_PATCH, LR_PATCH, 3), np.uint8)
    hr_pool = np.empty((POOL, 2 * LR_PATCH, 2 * LR_PATCH, 3), np.uint8)
    order = rng.permutation(POOL)
    table, jobs, n = [], [], 0
    for group, name in ((PHOTOS, "photo"), (DRAWN, "drawn"), (HELD_OUT, "held out")):
        for pkg, files in group.items():
            root, version = fetch(a.work, pkg)
            for f in files:
                row = dict(package=pkg, version=version, file=f, licence=licence_of(root, pkg, f), use=name)
                table.append(row)
                jobs.append((row, f"{root}/{f}"))
    versions = {}
    for row, path in jobs:                 # weight: how much texture the picture has
        v = [x for x in sharp_versions(path, rng) if min(x.shape[:2]) >= 2 * LR_PATCH + 16]
        y = luma(v[min(2, len(v) - 1)])
        row["weight"] = float(np.clip(np.abs(np.diff(y, axis=1)).mean() / 5, 0.25, 1.5))
        versions[path] = v
    total = {u: sum(r["weight"] for r in table if r["use"] == u) for u in ("photo", "drawn", "held out")}
    val = []
    for row, path in jobs:
        v = versions[path]
        if row["use"] == "held out":       # a crop of the third version
            x = v[min(2, len(v) - 1)]
            h, w = x.shape[0] // 2 - 160, x.shape[1] // 2 - 160
            val.append(x[h // 2 * 2:h // 2 * 2 + 320, w // 2 * 2:w // 2 * 2 + 320])
            continue
        share = DRAWN_SHARE if row["use"] == "drawn" else 1 - DRAWN_SHARE
        want = min(int(POOL * share * row["weight"] / total[row["use"]]), POOL - n)
        if path == [p for r, p in jobs if r["use"] != "held out"][-1]:
            want = POOL - n                # rounding
        row["patches"] = want

        def put(lo, hi):
            nonlocal n
            lr_pool[order[n]], hr_pool[order[n]] = lo, hi
            n += 1
        area = np.array([x.shape[0] * x.shape[1] for x in v], float) ** 0.5
        parts = np.floor(want * area / area.sum()).astype(int)
        parts[0] += want - parts.sum()
        for x, c in zip(v, parts):
            cut_patches(x, int(c), rng, put)
        print(f"{row['package']:28} {os.path.basename(path) if 'contents' not in path else path.split('/')[-4]:42}"
              f" {row['licence']:40} {want}", flush=True)
    assert n == POOL
    np.save(f"{a.work}/lr.npy", lr_pool)
    np.save(f"{a.work}/hr.npy", hr_pool)
    np.save(f"{a.work}/val.npy", np.stack(val))
    json.dump(table, open(f"{a.work}/data.json", "w"), indent=1, ensure_ascii=False)


# --------------------------------------------------------------------------------------------------------------- network

class Net(nn.Module):
    """SRVGGNetCompact: out = pixel_shuffle(body(x)) + nearest(x)."""

    def __init__(self, nf=NF, num_conv=NUM_CONV, scale=SCALE):
        super().__init__()
        self.scale = scale
        mods = [nn.Conv2d(3, nf, 3, padding=1), nn.PReLU(nf, init=0.1)]
        for _ in range(num_conv):
            mods += [nn.Conv2d(nf, nf, 3, padding=1), nn.PReLU(nf, init=0.1)]
        mods += [nn.Conv2d(nf, 3 * scale * scale, 3, padding=1)]
        for m in mods:
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, a=0.1)
                nn.init.zeros_(m.bias)
        mods[-1].weight.data *= 0.05       # begin at the nearest-neighbour enlargement
        self.body = nn.Sequential(*mods)

    def forward(self, x):
        return F.pixel_shuffle(self.body(x), self.scale) + F.interpolate(x, scale_factor=self.scale, mode="nearest")


def run_net(net, img):
    """uint8 picture in, uint8 picture of twice the size out."""
    with torch.no_grad():
        x = torch.from_numpy(np.array(img)).permute(2, 0, 1)[None].float() / 255
        return u8(net(x)[0].permute(1, 2, 0).numpy().astype(np.float64) * 255)


def measure(net, hr):
    """(clean, bicubic clean, jpeg60 4:2:0, bicubic of it, jpeg60 4:4:4, bicubic of it): PSNR on Y in dB."""
    hr = hr[:hr.shape[0] // 2 * 2, :hr.shape[1] // 2 * 2]
    lr = u8(imresize(hr, 0.5))
    res = []
    for x in (lr, jpeg(lr, 60, 2), jpeg(lr, 60, 0)):
        res += [psnr_y(run_net(net, x), hr), psnr_y(u8(imresize(x, 2)), hr)]
    return res


def set5(folder):
    return {os.path.basename(f).split(".")[0]: np.asarray(Image.open(f).convert("RGB"))
            for f in sorted(glob.glob(f"{folder}/*.png") + glob.glob(f"{folder}/*.bmp"))}


# -------------------------------------------------------------------------------------------------------------- training

def step_size(it, iters):
    """Warm-up, flat, then linear to zero over the last DECAY of the run."""
    return PEAK_LR * min(1, (it + 1) / WARMUP, (iters - it) / (DECAY * iters))


def batch(lr, hr, it):
    """Patches of iteration `it`: the pool in a fixed shuffled order per pass, each with a random flip and rotation."""
    per = len(lr) // BATCH
    perm = np.random.default_rng([SEED, 2, it // per]).permutation(len(lr))
    sel = np.sort(perm[it % per * BATCH:(it % per + 1) * BATCH])
    rng = np.random.default_rng([SEED, 1, it])
    xs, ys = [], []
    for i in sel:
        k, flip = int(rng.integers(4)), rng.random() < 0.5
        for src, dst in ((lr[i], xs), (hr[i], ys)):
            p = np.rot90(src, k)
            dst.append(np.ascontiguousarray(p[:, ::-1] if flip else p))
    return [torch.from_numpy(np.stack(v)).permute(0, 3, 1, 2).float() / 255 for v in (xs, ys)]


def cmd_train(a):
    torch.manual_seed(SEED)
    torch.set_num_threads(a.threads)
    lr, hr, val = (np.load(f"{a.work}/{n}.npy") for n in ("lr", "hr", "val"))
    net = Net().to(memory_format=torch.channels_last)
    ema = Net()
    ema.load_state_dict(net.state_dict())
    opt = torch.optim.Adam(net.parameters(), betas=(0.9, 0.99))
    it, spent, perms = 0, 0.0, {}
    ck = f"{a.work}/checkpoint.pt"
    if os.path.exists(ck):
        s = torch.load(ck)
        net.load_state_dict(s["net"])
        ema.load_state_dict(s["ema"])
        opt.load_state_dict(s["opt"])
        it, spent = s["it"], s["spent"]
    print(f"{sum(p.numel() for p in net.parameters())} parameters, {len(lr)} pairs, iteration {it} of {a.iters}", flush=True)
    wy = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    t0, acc = time.time() - spent, 0.0
    while it < a.iters:
        for g in opt.param_groups:
            g["lr"] = step_size(it, a.iters)
        x, y = batch(lr, hr, it)
        d = net(x.contiguous(memory_format=torch.channels_last)) - y
        dy = (d * wy).sum(1)
        loss = 0.5 * torch.sqrt(d * d + 1e-6).mean() + 0.5 * torch.sqrt(dy * dy + 1e-6).mean()
        opt.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        opt.step()
        it += 1
        acc += loss.item()
        with torch.no_grad():
            k = min(EMA, it / (it + 10))
            for p, q in zip(ema.parameters(), net.parameters()):
                p.lerp_(q, 1 - k)
        if it % 100 == 0 and it % 1000:
            print(f"{it:6d} {time.time() - t0:6.0f}s loss {acc / (it % 1000):.5f}", flush=True)
        if it % 1000 == 0 or it == a.iters:
            torch.save(dict(net=net.state_dict(), ema=ema.state_dict(), opt=opt.state_dict(), it=it,
                            spent=time.time() - t0), ck + ".new")
            os.replace(ck + ".new", ck)
            line = f"{it:6d} {time.time() - t0:6.0f}s lr {step_size(it - 1, a.iters):.2e} loss {acc / 1000:.5f}"
            m = np.mean([measure(ema, v) for v in val], 0)
            line += f" | held out {m[0]:.3f} (bicubic {m[1]:.3f}) jpeg60 {m[2]:.3f} ({m[3]:.3f})"
            if a.set5:                     # reported only, nothing is chosen by it
                m = np.mean([measure(ema, v) for v in set5(a.set5).values()], 0)
                line += f" | Set5 {m[0]:.3f} (bicubic {m[1]:.3f}) jpeg60 {m[2]:.3f} ({m[3]:.3f})"
            print(line, flush=True)
            acc = 0.0


# ----------------------------------------------------------------------------------------------------- export, eval, sample

def cmd_export(a):
    s = torch.load(f"{a.work}/checkpoint.pt")
    head = {"__metadata__": {
        "architecture": "SRVGGNetCompact", "num_feat": str(NF), "num_conv": str(NUM_CONV), "act_type": "prelu",
        "scale": str(SCALE), "licence": "MIT", "seed": str(SEED), "iterations": str(s["it"]),
        "script": "tools/train/train.py", "recipe": "models/README.md",
        "input": "RGB 0..1; trained on bicubic x0.5, half of it with JPEG 40-95 and/or light noise"}}
    blobs, pos = [], 0
    for key, t in s["ema"].items():
        b = t.contiguous().numpy().astype("<f2").tobytes()
        head[key] = dict(dtype="F16", shape=list(t.shape), data_offsets=[pos, pos + len(b)])
        blobs.append(b)
        pos += len(b)
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(a.out + ".new", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    os.replace(a.out + ".new", a.out)
    print(f"{a.out}: {os.path.getsize(a.out)} bytes, {pos // 2} parameters, iteration {s['it']}")


def load_model(path):
    raw = open(path, "rb").read()
    n, = struct.unpack("<Q", raw[:8])
    head = json.loads(raw[8:8 + n])
    meta = head.pop("__metadata__", {})
    sd = {}
    for k, v in head.items():
        b, e = v["data_offsets"]
        sd[k] = torch.from_numpy(np.frombuffer(raw[8 + n + b:8 + n + e], "<f2").astype(np.float32).reshape(v["shape"]))
    net = Net(int(meta["num_feat"]), int(meta["num_conv"]), int(meta["scale"]))
    net.load_state_dict(sd)
    return net, meta


def cmd_eval(a):
    torch.set_num_threads(a.threads)
    net, meta = load_model(a.model)
    print(meta)
    rows = {k: measure(net, v) for k, v in set5(a.set5).items()}
    rows["average"] = list(np.mean(list(rows.values()), 0))
    print("Y-PSNR in dB   clean  bicubic | JPEG 60 4:2:0  bicubic   gain | JPEG 60 4:4:4  bicubic   gain")
    for k, m in rows.items():
        print(f"{k:12} {m[0]:7.2f} {m[1]:8.2f} | {m[2]:13.2f} {m[3]:8.2f} {m[2] - m[3]:+6.2f} |"
              f" {m[4]:13.2f} {m[5]:8.2f} {m[4] - m[5]:+6.2f}")


def cmd_sample(a):
    """The raccoon of python3-scipy (public domain), not in the training set, as a small JPEG."""
    import bz2
    root, _ = fetch(a.work, "python3-scipy")
    raw = open(f"{root}/usr/lib/python3/dist-packages/scipy/misc/face.dat", "rb").read()
    im = Image.fromarray(np.frombuffer(bz2.decompress(raw), np.uint8).reshape(768, 1024, 3))
    im.crop((0, 0, 1024, 683)).resize((640, 427), Image.LANCZOS).save(a.out, quality=75)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    sub = p.add_subparsers(dest="cmd", required=True)
    for name in ("data", "train", "export", "eval", "sample"):
        s = sub.add_parser(name)
        if name != "eval":
            s.add_argument("--work", default="../train-work", help="folder for packages, pool and checkpoint")
        if name in ("export", "sample"):
            s.add_argument("--out", required=True)
        if name in ("train", "eval"):
            s.add_argument("--set5", required=name == "eval", help="folder with the five pictures")
            s.add_argument("--threads", type=int, default=2)
        if name == "train":
            s.add_argument("--iters", type=int, default=32000)
        if name == "eval":
            s.add_argument("--model", required=True)
    a = p.parse_args()
    if getattr(a, "work", None):
        a.work = os.path.abspath(a.work)
        os.makedirs(a.work, exist_ok=True)
    globals()["cmd_" + a.cmd](a)


if __name__ == "__main__":
    main()
