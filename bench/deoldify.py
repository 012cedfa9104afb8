#!/usr/bin/env python3
"""tintype beside PyTorch on DeOldify's networks, in turns in one process: medians, and whose is quicker.

    make && python3 bench/deoldify.py --model artistic --render 21 --threads 1 --rounds 5

Random weights (the time does not depend on them), made by tests/reference/deoldify.py and read by both. PyTorch gets its
norms folded where it can: spectral and weight norm before the run, batch norm by its own optimiser in the jit mode.
One thread is timed by its own clock, which stands while others have the processor; more threads by the wall's.
Needs numpy and torch.
"""
import argparse
import ctypes
import os
import statistics
import sys
import tempfile
import time

import numpy as np
import torch
from torch.nn import functional as F

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests", "reference"))
import deoldify  # noqa: E402
import safetensors_io  # noqa: E402


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("text", ctypes.c_char * 1024)]


class ContextOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("threads", ctypes.c_int), ("memory", ctypes.c_uint64)]


class Tintype:
    def __init__(self, library, path, threads):
        self.lib, self.err = ctypes.CDLL(library), Error()
        self.c, self.n = ctypes.c_void_p(), ctypes.c_void_p()
        o = ContextOptions(ctypes.sizeof(ContextOptions), threads, 1 << 40)
        self.must(self.lib.tt_context_new(ctypes.byref(self.c), ctypes.byref(o), ctypes.byref(self.err)))
        self.must(self.lib.tt_network_open(ctypes.byref(self.n), path.encode(), None, ctypes.byref(self.err)))

    def must(self, status):
        if status:
            sys.exit(self.err.text.decode())

    def __call__(self, x):
        x = np.ascontiguousarray(x.numpy()[0])
        y = np.empty_like(x)
        p = lambda a: a.ctypes.data_as(ctypes.c_void_p)
        self.must(self.lib.tt_network_run(self.c, self.n, p(x), x.shape[1], x.shape[2], p(y), None, None, None,
                                          ctypes.byref(self.err)))
        return torch.from_numpy(y)[None]


def settle(net):
    """u and v as training leaves them, so that values stay small and both sides' results can be compared."""
    for m in net.modules():
        if hasattr(m, "weight_orig"):
            w = m.weight_orig.detach().flatten(1)
            for _ in range(5):
                m.weight_v.copy_(F.normalize(w.T @ m.weight_u, dim=0))
                m.weight_u.copy_(F.normalize(w @ m.weight_v, dim=0))
    return net


def fold(net):
    """Spectral and weight norm worked out once, as a program that only infers would."""
    for m in net.modules():
        if hasattr(m, "folded"):
            w = m.folded().detach().clone()
            conv, pad = (F.conv2d if w.dim() == 4 else F.conv1d), int(w.shape[-1]) // 2
            m.forward = lambda x, w=w, conv=conv, pad=pad, bias=m.bias: conv(x, w, bias, padding=pad)
    return net


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--model", choices=["artistic", "stable"], default="artistic")
    a.add_argument("--render", type=int, default=21)
    a.add_argument("--threads", type=int, default=1)
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--warm", type=int, default=1, help="rounds before those that count")
    a.add_argument("--modes", default="eager,channels_last,jit")
    a.add_argument("--library", default=os.path.join(TOP, "build", "libtintype.so"))
    a = a.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(a.threads)
    net = settle(deoldify.DeOldify(a.model == "artistic"))
    x = torch.randn(1, 3, 16 * a.render, 16 * a.render)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, a.model + ".safetensors")
        safetensors_io.save(path, {k: v.numpy() for k, v in net.state_dict().items()})
        ours = Tintype(a.library, path, a.threads)
    fold(net)
    sides = {"tintype": ours}
    with torch.inference_mode():
        if "eager" in a.modes:
            sides["eager"] = net
        if "channels_last" in a.modes:
            last = deoldify.DeOldify(a.model == "artistic")
            last.load_state_dict(net.state_dict())
            last = fold(last.to(memory_format=torch.channels_last))
            xl = x.to(memory_format=torch.channels_last)
            sides["channels_last"] = lambda _: last(xl)
    if "jit" in a.modes:
        with torch.no_grad():
            sides["jit, optimize_for_inference"] = torch.jit.optimize_for_inference(
                torch.jit.freeze(torch.jit.trace(net, x, check_trace=False)))
    clock = time.thread_time if a.threads == 1 else time.perf_counter
    times = {k: [] for k in sides}
    with torch.no_grad():
        want = None
        for round_ in range(-a.warm, a.rounds):
            for name, run in sides.items():
                begun = clock()
                y = run(x)
                took = clock() - begun
                if round_ >= 0:
                    times[name].append(took)
                if want is None:
                    want = y
                elif not torch.allclose(y, want, atol=2e-3):
                    print(f"{name} gives other numbers: off by {(y - want).abs().max():.2g}")
    print(f"{a.model}, render {a.render}, {a.threads} thread(s), {a.rounds} rounds in turns, "
          f"torch {torch.__version__}; {'own clock' if a.threads == 1 else 'wall'}")
    ours = statistics.median(times["tintype"])
    for name, t in times.items():
        m = statistics.median(t)
        print(f"  {name:30s} {m:8.3f} s  ({min(t):.3f} .. {max(t):.3f})  {m / ours:5.2f}x")


main()
