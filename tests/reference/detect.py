"""Architecture and hyper-parameters from the tensor names and shapes alone.

detect({key: array or tensor}) -> (name, kwargs) with kwargs fitting the classes in this folder,
after the container's wrappers and common prefixes have been removed.
"""
import re


def _n(keys, prefix):
    """1 + the largest integer i such that some key starts with prefix.i."""
    idx = [int(m.group(1)) for k in keys for m in [re.match(re.escape(prefix) + r"\.(\d+)\.", k)] if m]
    return max(idx) + 1 if idx else 0


def _isqrt(n):
    r = round(n ** 0.5)
    if r * r != n:
        raise ValueError(f"{n} is not a square")
    return r


def detect(sd):
    s = {k: tuple(v.shape) for k, v in sd.items()}
    for probe, fn in ((("layers.0.residual_group.blocks.0.norm1.weight",), _swinir),
                      (("model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight"), _rrdb_old),
                      (("conv_first.weight", "RRDB_trunk.0.RDB1.conv1.weight"), _rrdb),
                      (("conv_first.weight", "body.0.rdb1.conv1.weight"), _rrdb),
                      (("unet1.conv1.conv.0.weight", "unet2.conv_bottom.weight"), _cunet),
                      (("net.0.weight", "net.12.weight"), _chain),
                      (("input.weight", "output.weight", "residual_layer.0.conv.weight"), _vdsr),
                      (("conv1.weight", "conv2.weight", "conv3.weight"), _srcnn),
                      (("body.0.weight", "body.2.weight"), _srvgg)):
        if all(k in s for k in probe):
            return fn(s)
    raise ValueError("unknown architecture")


def _srcnn(s):
    n1, c, f1, _ = s["conv1.weight"]
    n2, _, f2, _ = s["conv2.weight"]
    return "srcnn", dict(f2=f2, n1=n1, n2=n2, channels=c, f1=f1, f3=s["conv3.weight"][2])


def _vdsr(s):
    nf, c = s["input.weight"][:2]
    return "vdsr", dict(depth=_n(s, "residual_layer") + 2, nf=nf, bias="input.bias" in s, channels=c)


def _chain(s):
    widths = tuple(s[f"net.{i}.weight"][0] for i in range(0, 12, 2))
    ch = s["net.0.weight"][1]
    up = s["net.12.weight"][2:] == (4, 4)                  # transposed: (in, out, 4, 4)
    return ("upconv_7" if up else "vgg_7"), dict(ch=ch, widths=widths)


def _cunet(s):
    w, ch = s["unet1.conv1_down.weight"][0], s["unet1.conv1.conv.0.weight"][1]
    up = s["unet1.conv_bottom.weight"][2:] == (4, 4)
    return "cunet", dict(ch=ch, w=w, r=w // s["unet1.conv2.seblock.conv1.weight"][0], up=up)


def _unshuffle(cin, cout):
    return {4 * cout: 2, 16 * cout: 4}.get(cin, 1)


def _rrdb_old(s):
    top = sorted(int(m.group(1)) for k in s for m in [re.fullmatch(r"model\.(\d+)\.weight", k)] if m)
    if 2 in top and s["model.2.weight"][0] == 4 * s["model.0.weight"][0]:
        raise ValueError("pixel-shuffle upsampler of the old layout is not supported")
    nf, cin = s["model.0.weight"][:2]
    cout = s[f"model.{top[-1]}.weight"][0]
    u = _unshuffle(cin, cout)
    return "rrdb", dict(in_ch=cin // u ** 2, out_ch=cout, nf=nf, nb=_n(s, "model.1.sub") - 1,
                        gc=s["model.1.sub.0.RDB1.conv1.0.weight"][0], scale=2 ** (len(top) - 3), unshuffle=u,
                        layout="old", plus="model.1.sub.0.RDB1.conv1x1.weight" in s)


def _rrdb(s):
    layout = "body" if "conv_body.weight" in s else "trunk"
    blk, up, one = ("body", "conv_up", "body.0.rdb1") if layout == "body" else ("RRDB_trunk", "upconv", "RRDB_trunk.0.RDB1")
    nf, cin = s["conv_first.weight"][:2]
    cout = s["conv_last.weight"][0]
    n_up = sum(bool(re.fullmatch(up + r"\d\.weight", k)) for k in s)
    u = _unshuffle(cin, cout)
    return "rrdb", dict(in_ch=cin // u ** 2, out_ch=cout, nf=nf, nb=_n(s, blk), gc=s[one + ".conv1.weight"][0],
                        scale=2 ** n_up, unshuffle=u, layout=layout, plus=one + ".conv1x1.weight" in s)


def _srvgg(s):
    last = _n(s, "body") - 1
    nf, cin = s["body.0.weight"][:2]
    total = s[f"body.{last}.weight"][0]
    for c in (cin, 3, 4, 1):                               # scale^2 * out channels is all that is known
        r = round((total / c) ** 0.5)
        if r * r * c == total:
            break
    else:
        raise ValueError("cannot split the last layer into scale and channels")
    act = "prelu" if "body.1.weight" in s else "leakyrelu"   # without slopes: relu or leakyrelu(0.1), not decidable
    return "srvgg", dict(in_ch=cin, out_ch=c, nf=nf, num_conv=(last - 2) // 2, scale=r, act=act)


def _swinir(s):
    b0 = "layers.0.residual_group.blocks.0."
    first = "conv_first.weight" if "conv_first.weight" in s else "conv_first.1.weight"
    c, cin = s[first][:2]
    n = _n(s, "layers")
    depths = tuple(_n(s, f"layers.{i}.residual_group.blocks") for i in range(n))
    heads = tuple(s[f"layers.{i}.residual_group.blocks.0.attn.relative_position_bias_table"][1] for i in range(n))
    window = (_isqrt(s[b0 + "attn.relative_position_bias_table"][0]) + 1) // 2
    nf, scale = 64, 1
    if "conv_before_upsample.0.weight" in s:
        nf = s["conv_before_upsample.0.weight"][0]
        if "conv_up1.weight" in s:
            upsampler, scale = "nearest+conv", 2 ** sum(bool(re.fullmatch(r"conv_up\d\.weight", k)) for k in s)
        else:
            upsampler = "pixelshuffle"
            for i in range(0, 10, 2):
                if f"upsample.{i}.weight" in s:
                    scale *= _isqrt(s[f"upsample.{i}.weight"][0] // nf)
        out = s["conv_last.weight"][0]
    elif "upsample.0.weight" in s:
        upsampler = "pixelshuffledirect"
        out = cin                                          # in and out channels agree in every published model
        scale = _isqrt(s["upsample.0.weight"][0] // out)
    else:
        upsampler, out = "", s["conv_last.weight"][0]
    unshuffle = 1 if first == "conv_first.weight" else _isqrt(cin // out)
    mask = s.get("layers.0.residual_group.blocks.1.attn_mask")
    return "swinir", dict(in_ch=cin // unshuffle ** 2, embed_dim=c, depths=depths, heads=heads, window=window,
                          mlp_ratio=s[b0 + "mlp.fc1.weight"][0] / c, scale=scale,
                          img_range=255.0 if window == 7 else 1.0, upsampler=upsampler,
                          resi="1conv" if "conv_after_body.weight" in s else "3conv", num_feat=nf,
                          img_size=_isqrt(mask[0]) * window if mask else 0, unshuffle=unshuffle)


# ---------------------------------------------------------------- containers that store weights by position


def in_order(model, tensors):
    """State dict for `model` from [(weight, bias or None)] in layer order (waifu2x JSON/t7, ncnn).

    Works because every class here creates its convolutions in file order.
    """
    import torch
    import torch.nn as nn
    sd, left = {}, list(tensors)
    for name, m in model.named_modules():
        if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)):
            w, b = left.pop(0)
            sd[name + ".weight"] = torch.as_tensor(w.copy()).reshape(m.weight.shape)
            sd[name + ".bias"] = torch.zeros(m.weight.shape[1 if isinstance(m, nn.ConvTranspose2d) else 0]) if b is None \
                else torch.as_tensor(b.copy())
        elif isinstance(m, nn.PReLU):
            sd[name + ".weight"] = torch.as_tensor(left.pop(0)[0].copy())
    if left:
        raise ValueError("more weights than layers")
    return sd


def detect_ncnn(layers):
    """(network name, kwargs, [(weight, bias)]) from containers.read_ncnn() output."""
    ws = [l for l in layers if "weight" in l]
    kinds = {l["type"] for l in layers}
    conv = [l["weight"].shape for l in ws if l["type"] == "Convolution"]
    pairs = [(l["weight"][:, :, None, None] if l["type"] == "InnerProduct" else l["weight"], l.get("bias")) for l in ws]
    if "Concat" in kinds:
        n_up = sum(l["type"] == "Interp" for l in layers)
        nb = (len(conv) - 4 - n_up) // 15
        return "rrdb", dict(in_ch=conv[0][1], out_ch=conv[-1][0], nf=conv[0][0], nb=nb, gc=conv[1][0], scale=2 ** n_up), pairs
    if "PixelShuffle" in kinds:
        r = next(l["params"][0] for l in layers if l["type"] == "PixelShuffle")
        return "srvgg", dict(in_ch=conv[0][1], out_ch=conv[-1][0] // r ** 2, nf=conv[0][0], num_conv=len(conv) - 2, scale=r), pairs
    if "Scale" in kinds:
        up = any(l["type"] == "Deconvolution" and l["weight"].shape[2] == 4 for l in ws)
        se = next(l["weight"] for l in ws if l["type"] == "InnerProduct")
        return "cunet", dict(ch=conv[0][1], w=conv[1][0], r=se.shape[1] // se.shape[0], up=up), pairs
    widths = tuple(s[0] for s in conv)
    if "Deconvolution" in kinds:
        return "upconv_7", dict(ch=conv[0][1], widths=widths), pairs
    return "vgg_7", dict(ch=conv[0][1], widths=widths[:-1]), pairs
