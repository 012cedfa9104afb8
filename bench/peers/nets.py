"""The networks of the table: tests/reference's torch modules with seeded weights that keep values of ordinary size, so that
an error against float64 means something. Needs torch."""
import functools
import os
import sys

import torch
from torch import nn

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "reference"))
import deoldify  # noqa: E402
import rrdbnet  # noqa: E402
import srcnn  # noqa: E402
import srvgg  # noqa: E402
import swinir  # noqa: E402
import waifu2x  # noqa: E402

# The reference works SwinIR's masks out anew in each run; published code keeps them. PyTorch is not charged for ours.
swinir.shift_mask = functools.lru_cache(None)(swinir.shift_mask)


def attend(self, x):
    """deoldify.Attention.forward() with the shape written out: pnnx knows no view_as()."""
    flat = x.flatten(2)
    q, k, v = self.query(flat), self.key(flat), self.value(flat)
    weights = (k.transpose(1, 2) @ q).softmax(-1)
    return x + self.gamma * (v @ weights.transpose(1, 2)).reshape(x.shape)


deoldify.Attention.forward = attend


def he(net, slope=0.2):
    """He et al., "Delving Deep into Rectifiers", 2015: weights whose outputs vary as much as their inputs."""
    for m in net.modules():
        if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)):
            taps = m.weight[0].numel()  # of an output; of a transposed one's 16 taps a pixel sees a stride's share
            if isinstance(m, nn.ConvTranspose2d):
                taps = m.in_channels * m.weight[0, 0].numel() // (m.stride[0] * m.stride[1])
            nn.init.normal_(m.weight, 0, (2 / ((1 + slope * slope) * taps)) ** 0.5)
            if m.bias is not None:
                nn.init.normal_(m.bias, 0, 0.05)
    return net


def mild(conv, bias):
    """The last layer before a clamp to 0..1: what it puts out lies in there, or every error would be cut off."""
    conv.weight.mul_(0.1)
    conv.bias.fill_(bias)


def rrdb():
    net = he(rrdbnet.RRDBNet(nb=23))
    for name, p in net.named_parameters():
        if name.endswith("conv5.weight"):  # 69 of them are added up
            p.mul_(0.5)
    return net


def srvgg16():
    return he(srvgg.SRVGGNetCompact(num_conv=16), 0.25)


def upconv7():
    net = he(waifu2x.UpConv7(), 0.1)
    mild(net.net[-1], 0.5)
    return net


def cunet():
    net = he(waifu2x.UpCUNet(), 0.1)
    mild(net.unet1.conv_bottom, 0.25)
    mild(net.unet2.conv_bottom, 0.25)
    return net


def srcnn955():
    return he(srcnn.SRCNN(f2=5), 0)


def swinir_net(**kw):
    net = swinir.SwinIR(img_size=0, **kw)
    for m in net.modules():
        if hasattr(m, "relative_position_bias_table"):
            nn.init.normal_(m.relative_position_bias_table, 0, 0.02)
    return net


def artistic():
    net = deoldify.DeOldify(True)
    for m in net.modules():
        if hasattr(m, "weight_orig"):  # u and v as training leaves them
            w = m.weight_orig.flatten(1)
            for _ in range(5):
                m.weight_v.copy_(nn.functional.normalize(w.T @ m.weight_u, dim=0))
                m.weight_u.copy_(nn.functional.normalize(w @ m.weight_v, dim=0))
        if isinstance(m, deoldify.Attention):
            m.gamma.fill_(0.1)
    return net


def folded(net):
    """DeOldify's spectral and weight norm worked out once into plain convolutions, as every program that only infers does;
    the other networks unchanged."""
    for parent in list(net.modules()):
        for name, m in list(parent.named_children()):
            if hasattr(m, "folded"):
                parent.add_module(name, plain(m.folded().detach(), m.bias))
    return net


def plain(w, bias):
    kind = nn.Conv2d if w.dim() == 4 else nn.Conv1d
    conv = kind(w.shape[1], w.shape[0], w.shape[2:], padding=w.shape[-1] // 2, bias=bias is not None)
    conv.weight = nn.Parameter(w.clone())
    conv.bias = bias
    return conv


MAKE = {
    "rrdb": rrdb,
    "srvgg": srvgg16,
    "upconv_7": upconv7,
    "cunet": cunet,
    "srcnn": srcnn955,
    "swinir-light": lambda: swinir_net(embed_dim=60, depths=(6,) * 4, heads=(6,) * 4, scale=2, upsampler="pixelshuffledirect"),
    "swinir-medium": lambda: swinir_net(embed_dim=180, depths=(6,) * 6, heads=(6,) * 6, scale=4, upsampler="pixelshuffle"),
    "deoldify": artistic,
}


# What the weights do not say, for tintype: the reference's SRCNN pads as the original does.
SETTINGS = {"srcnn": {"padding": "replicate"}}


def make(name):
    """The network with its weights, the same ones each time."""
    torch.manual_seed(1)
    with torch.no_grad():
        return MAKE[name]().eval()


def make_input(name, size):
    torch.manual_seed(2)
    shape = (1, 1 if name == "srcnn" else 3, size, size)
    return torch.randn(shape) if name == "deoldify" else torch.rand(shape)
