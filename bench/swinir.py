#!/usr/bin/env python3
"""SwinIR in tintype and in PyTorch, side by side: build/libtintype.so and torch's modes in one process, in turns
(A B C D A B C D ...), on one thread, with the same random weights and the same input.

  make && python3 bench/swinir.py [--rounds 7] [--size 128] [--net light medium] [--threads 1]

Needs numpy and torch (Debian: python3-torch); the network is the one of tests/reference/swinir.py. Times are of the
process' own clock (what all its threads work), which stands while others have the processor: median and quartiles. The
ratio is of the medians, to the fastest mode of PyTorch.
"""
import argparse
import ctypes as C
import os
import statistics
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(TOP, "tests", "reference"))

NETS = {  # section 4.1 of the paper: the lightweight and the classical network
    "light": ("lightweight x2", dict(embed_dim=60, depths=(6,) * 4, heads=(6,) * 4, scale=2, upsampler="pixelshuffledirect",
                                     img_size=0)),
    "medium": ("medium x4", dict(embed_dim=180, depths=(6,) * 6, heads=(6,) * 6, scale=4, upsampler="pixelshuffle",
                                 img_size=0)),
}


class Options(C.Structure):
    _fields_ = [("size", C.c_size_t), ("threads", C.c_int), ("memory", C.c_uint64)]


class Tintype:
    """What tintype.h offers, as far as it is needed here."""

    def __init__(self, library, weights, threads):
        self.lib, self.error = C.CDLL(library), C.create_string_buffer(2048)
        self.context, self.network = C.c_void_p(), C.c_void_p()
        o = Options(C.sizeof(Options), threads, 0)
        self.check(self.lib.tt_context_new(C.byref(self.context), C.byref(o), self.error))
        self.check(self.lib.tt_network_open(C.byref(self.network), weights.encode(), None, self.error))

    def check(self, status):
        if status:
            raise SystemExit(self.error.raw[4:].split(b"\0")[0].decode())

    def __call__(self, x, scale):
        import numpy as np
        _, c, h, w = x.shape
        out = np.empty((1, c, h * scale, w * scale), np.float32)
        n = [C.c_int() for _ in range(3)]
        self.check(self.lib.tt_network_run(self.context, self.network, x.ctypes.data_as(C.c_void_p), h, w,
                                           out.ctypes.data_as(C.c_void_p), *map(C.byref, n), self.error))
        return out


def sides(net, size, threads, library):
    """name -> a function that runs once and returns the output"""
    import numpy as np
    import torch
    import safetensors_io as st
    from swinir import SwinIR
    torch.manual_seed(1)
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    kw = NETS[net][1]
    model = SwinIR(**kw).eval()
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as f:
        st.save(f.name, {k: v.numpy() for k, v in model.state_dict().items()})
        ours = Tintype(library, f.name, threads)
    x = torch.rand(1, 3, size, size)
    last = x.contiguous(memory_format=torch.channels_last)
    lasting = SwinIR(**kw).eval()
    lasting.load_state_dict(model.state_dict())
    lasting = lasting.to(memory_format=torch.channels_last)
    frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, x)))
    array = np.ascontiguousarray(x.numpy())
    return {"tintype": lambda: ours(array, kw["scale"]), "eager": lambda: model(x).numpy(),
            "channels_last": lambda: lasting(last).numpy(), "optimize_for_inference": lambda: frozen(x).numpy()}


def quartiles(v):
    v = sorted(v)
    return v[len(v) // 4], v[(3 * len(v)) // 4]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=7)
    ap.add_argument("--size", type=int, default=128)
    ap.add_argument("--threads", type=int, default=1)
    ap.add_argument("--net", nargs="*", default=list(NETS), choices=list(NETS))
    ap.add_argument("--library", default=os.path.join(TOP, "build", "libtintype.so"))
    a = ap.parse_args()
    for k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[k] = str(a.threads)
    for net in a.net:
        import numpy as np
        run = sides(net, a.size, a.threads, a.library)
        first = {k: f() for k, f in run.items()}  # the warm-up
        off = max(float(np.abs(v - first["tintype"]).max()) for v in first.values())
        if not off <= 1e-4:
            raise SystemExit(f"the results differ by {off}")
        cpu, wall = {k: [] for k in run}, {k: [] for k in run}
        for _ in range(a.rounds):
            for k, f in run.items():
                c, w = time.process_time(), time.perf_counter()
                f()
                cpu[k].append(time.process_time() - c)
                wall[k].append(time.perf_counter() - w)
        print(f"SwinIR {NETS[net][0]}, {a.size}x{a.size}, {a.threads} thread(s), {a.rounds} rounds; "
              f"the results agree within {off:.1e}")
        best = min(statistics.median(cpu[k]) for k in run if k != "tintype")
        for k in run:
            m, (lo, hi) = statistics.median(cpu[k]), quartiles(cpu[k])
            print(f"  {k:24s} {m:8.3f} s ({lo:.3f}..{hi:.3f}), on the wall {statistics.median(wall[k]):.3f} s")
        print(f"  tintype is {best / statistics.median(cpu['tintype']):.2f} times as fast as PyTorch's fastest mode",
              flush=True)


if __name__ == "__main__":
    main()
