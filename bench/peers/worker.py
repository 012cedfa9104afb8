"""One engine in a process of its own, bound to its cores: worker.py '{"engine":, "mode":, "net":, "folder":, "cores":, ...}'.
Reads a word a line: `run` (one run: {"seconds", "cpu", "others"}), `end` (what is known now: {"peak", "rms", "max"}). Answers are
objects a line. Between runs it waits for the pipe and does nothing."""
import ctypes
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
asked = json.loads(sys.argv[1])
os.sched_setaffinity(0, asked["cores"])  # before any library makes threads
THREADS = len(asked["cores"])
for k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[k] = str(THREADS)
os.environ["KMP_BLOCKTIME"] = "10"  # ms that LLVM's and Intel's OpenMP spin after their work; GNU's stop sooner
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # libraries that print have the log

import numpy as np  # noqa: E402


def at(name):
    return os.path.join(asked["folder"], name)


# ---- the engines: each gives a function that runs once and returns the output --------------------------------------


class Options(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("threads", ctypes.c_int), ("memory", ctypes.c_uint64)]


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("text", ctypes.c_char * 1024)]


def tintype(mode, x):
    lib, e, c, n = ctypes.CDLL(asked["library"]), Error(), ctypes.c_void_p(), ctypes.c_void_p()

    def must(status):
        if status:
            raise RuntimeError(e.text.decode())

    o = Options(ctypes.sizeof(Options), THREADS, 0)
    must(lib.tt_context_new(ctypes.byref(c), ctypes.byref(o), ctypes.byref(e)))
    must(lib.tt_network_open(ctypes.byref(n), at("weights.safetensors").encode(), None, ctypes.byref(e)))
    shape = [ctypes.c_int() for _ in range(3)]
    h, w = x.shape[2:]
    must(lib.tt_network_run(c, n, None, h, w, None, *map(ctypes.byref, shape), ctypes.byref(e)))
    y = np.empty([1] + [v.value for v in shape], np.float32)
    p = (lambda a: a.ctypes.data_as(ctypes.c_void_p))

    def run():
        must(lib.tt_network_run(c, n, p(x), h, w, p(y), None, None, None, ctypes.byref(e)))
        return y

    return run


def ncnn(mode, x):
    import ncnn as lib
    net = lib.Net()
    net.opt.num_threads = THREADS
    net.opt.use_vulkan_compute = False
    net.opt.use_winograd_convolution = net.opt.use_sgemm_convolution = net.opt.use_packing_layout = True
    half, brain = mode == "fp16 storage", mode == "bf16 storage"
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = half
    net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = brain
    if brain and hasattr(net.opt, "use_bf16_packed"):
        net.opt.use_bf16_packed = True
    if net.load_param(at("model.ncnn.param")) or net.load_model(at("model.ncnn.bin")):
        raise RuntimeError("ncnn does not load what pnnx made")
    value = lib.Mat(x[0])

    def run():
        ex = net.create_extractor()
        if ex.input("in0", value):
            raise RuntimeError("ncnn does not take the input")
        status, y = ex.extract("out0")
        if status:
            raise RuntimeError(f"ncnn stops with {status}")
        return np.array(y, copy=False)[None]

    return run


def onnxruntime(mode, x):
    import onnxruntime as lib
    o = lib.SessionOptions()
    o.intra_op_num_threads, o.inter_op_num_threads = THREADS, 1
    o.graph_optimization_level = lib.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = lib.InferenceSession(at("model.onnx"), o, providers=["CPUExecutionProvider"])
    return lambda: session.run(["out"], {"in": x})[0]


def openvino(mode, x):
    import openvino as lib
    o = {"INFERENCE_NUM_THREADS": THREADS, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
    if mode == "f32":
        o["INFERENCE_PRECISION_HINT"] = "f32"
    core = lib.Core()
    request = core.compile_model(core.read_model(at("model.onnx")), "CPU", o).create_infer_request()
    request.set_input_tensor(lib.Tensor(x, shared_memory=True))

    def run():
        request.infer()
        return request.get_output_tensor().data

    return run


def torch(mode, x):
    import torch as lib
    lib.set_num_threads(THREADS)
    lib.set_grad_enabled(False)
    sys.path.insert(0, HERE)
    import nets
    net, x = nets.folded(nets.make(asked["net"])), lib.from_numpy(x)
    if mode == "channels_last":
        net, x = net.to(memory_format=lib.channels_last), x.to(memory_format=lib.channels_last)
    elif mode == "optimize_for_inference":
        net = lib.jit.optimize_for_inference(lib.jit.freeze(lib.jit.trace(net, x, check_trace=False)))
    elif mode == "compile":
        import torch._inductor.config
        torch_config = lib._inductor.config
        torch_config.freezing = True  # weights are packed for oneDNN once
        net = lib.compile(net)
    return lambda: net(x).numpy()


# ---- what is measured -------------------------------------------------------------------------------------------------


def busy_elsewhere():
    """CPU seconds that everything but this process has used on this machine."""
    with open("/proc/stat") as f:
        v = list(map(int, f.readline().split()[1:]))
    return (sum(v[:3]) + sum(v[5:8])) / os.sysconf("SC_CLK_TCK") - time.process_time()


def timed(run):
    others, cpu, begun = busy_elsewhere(), time.process_time(), time.perf_counter()
    y = run()
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    return y, {"seconds": took, "cpu": cpu, "others": max(0.0, busy_elsewhere() - others)}


def peak():
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM"))


def forget_peak():
    """What comparing with the reference took is not the engine's: the mark goes down to what is in memory now."""
    try:
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")
    except OSError:
        pass


def error(y):
    """Against PyTorch in float64, relative to the output's root mean square."""
    want = np.load(at("exact.npy"))
    if y.shape != want.shape:
        return {"wrong": f"gives {'x'.join(map(str, y.shape))} for {'x'.join(map(str, want.shape))} values"}
    rms = float(np.sqrt(np.mean(want ** 2)))
    off = y.astype(np.float64) - want
    return {"max": float(np.abs(off).max()) / rms, "rms": float(np.sqrt(np.mean(off ** 2))) / rms}


def answer(a):
    answers.write(json.dumps(a) + "\n")
    answers.flush()


def main():
    y, most = None, 0
    try:
        x = np.load(at("input.npy"))
        run = {"tintype": tintype, "ncnn": ncnn, "onnxruntime": onnxruntime, "openvino": openvino,
               "torch": torch}[asked["engine"]](asked["mode"], x)
        answer({"loaded": True})
        for line in sys.stdin:
            if line.strip() == "run":
                y, took = timed(run)
                answer(took)
            else:
                most = max(most, peak())
                answer({"peak": most, **error(np.asarray(y))})
                forget_peak()
    except Exception as e:
        answer({"failed": " ".join(f"{type(e).__name__}: {e}".split())[:300]})


main()
