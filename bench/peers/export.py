"""One case made ready for all sides: export.py NET SIZE FOLDER. Writes weights.safetensors, input.npy, exact.npy (the output in
float64), model.onnx, model.ncnn.param and .bin, and last of all case.json: what was made, and why what failed did."""
import json
import os
import subprocess
import sys
import warnings

import numpy as np
import torch
from torch.nn import functional as F

import nets
import safetensors_io

warnings.filterwarnings("ignore")


class Bands(torch.overrides.TorchFunctionMode):
    """Convolutions of large maps a band of rows at a time: in float64 PyTorch copies each window of the map at once, which
    for the last layers of an RRDBNet at 256x256 would be 5 GB."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is F.conv2d or func is torch.conv2d:
            return self.convolve(func, *args, **kwargs)
        return func(*args, **kwargs)

    @staticmethod
    def convolve(func, x, w, bias=None, stride=1, padding=0, dilation=1, groups=1):
        pair = (lambda v: v if isinstance(v, tuple) else (v, v))
        k, s, p = w.shape[2], pair(stride), padding
        if x.numel() < 1 << 22 or s != (1, 1) or isinstance(p, str):
            return func(x, w, bias, stride, padding, dilation, groups)
        x = F.pad(x, (pair(p)[1],) * 2 + (pair(p)[0],) * 2)
        rows = x.shape[2] - k + 1
        return torch.cat([func(x[:, :, y:min(y + 64, rows) + k - 1], w, bias, 1, 0, 1, groups)
                          for y in range(0, rows, 64)], 2)


def exact(name, x, folder):
    from torch.utils.flop_counter import FlopCounterMode
    net, count = nets.make(name).double(), FlopCounterMode(display=False)
    with torch.no_grad():
        with Bands():
            y = net(x.double())
        with count:  # counts the direct algorithm: 2 for each multiplication and addition of convolutions and products
            nets.make(name)(x)
    np.save(os.path.join(folder, "exact.npy"), y.numpy())
    return {"flops": count.get_total_flops(), "out": list(y.shape)}


def onnx(name, x, folder):
    torch.onnx.export(nets.folded(nets.make(name)), (x,), os.path.join(folder, "model.onnx"), dynamo=True, verbose=False,
                      external_data=False, input_names=["in"], output_names=["out"])


def ncnn(name, x, folder):
    import pnnx
    program, traced = os.path.join(os.path.dirname(pnnx.__file__), "pnnx"), os.path.join(folder, "model.pt")
    with torch.no_grad():
        torch.jit.trace(nets.folded(nets.make(name)), x, check_trace=False).save(traced)
    shape = "inputshape=" + str(list(x.shape)).replace(" ", "")
    done = subprocess.run([program, "model.pt", shape, "fp16=0"], cwd=folder, capture_output=True, text=True)
    with open(os.path.join(folder, "pnnx.log"), "w") as log:
        log.write(done.stdout + done.stderr)
    if done.returncode or not os.path.exists(os.path.join(folder, "model.ncnn.bin")):
        raise RuntimeError(f"pnnx ended with {done.returncode}; see {folder}/pnnx.log")
    for left in ("model.pt", "model.pnnx.bin", "model.pnnx.onnx", "model.pnnx.param", "model_ncnn.py", "model_pnnx.py"):
        if os.path.exists(os.path.join(folder, left)):
            os.remove(os.path.join(folder, left))


def main():
    name, size, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    x = nets.make_input(name, size)
    np.save(os.path.join(folder, "input.npy"), x.numpy())
    state = {k: v.numpy() for k, v in nets.make(name).state_dict().items()}
    safetensors_io.save(os.path.join(folder, "weights.safetensors"), state, nets.SETTINGS.get(name))
    facts = {"in": list(x.shape), "failed": {}}
    for what, step in (("exact", exact), ("onnx", onnx), ("ncnn", ncnn)):
        print(what, flush=True)
        try:
            facts.update(step(name, x, folder) or {})
        except Exception as e:  # the others go on without it, and the table says why
            if step is exact:
                raise
            facts["failed"][what] = " ".join(str(e).split())[:300]
    with open(os.path.join(folder, "case.json"), "w") as f:
        json.dump(facts, f)


main()
