#!/usr/bin/env python3
"""tintype beside ncnn, ONNX Runtime, OpenVINO and PyTorch: the same networks, shapes and random weights, in turns
(A B C A B C ...), on the same number of threads, each engine in a process of its own bound to the same cores.

  make && bench/peers/run.py                      everything: tens of minutes, after a first time that installs and exports
  bench/peers/run.py --quick                      the small cases
  bench/peers/run.py --net rrdb --size 64 128 --threads 1 --rounds 7 --peers ncnn torch
  bench/peers/run.py --prepare                    install and export only; measures nothing

The peers come from PyPI by name, into a virtual environment under build/peers; bench/peers/README.md says how they are run
and what counts."""
import argparse
import hashlib
import json
import os
import platform
import select
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, "build", "peers")
PYTHON = os.path.join(BUILD, "venv", "bin", "python")

NETS = {  # what it is, the sides of its input; --quick takes the first
    "rrdb": ("RRDBNet x4, 23 blocks", (64, 128, 256)),
    "srvgg": ("SRVGG compact x4, 16 layers", (256,)),
    "upconv_7": ("waifu2x upconv_7 x2", (256,)),
    "cunet": ("waifu2x cunet x2", (256,)),
    "srcnn": ("SRCNN 9-5-5", (512,)),
    "swinir-light": ("SwinIR lightweight x2", (64, 128)),
    "swinir-medium": ("SwinIR medium x4", (64, 128)),
    "deoldify": ("DeOldify artistic, render 21 and 35", (336, 560)),
}
OURS = ("tintype", "f32")
PEERS = {
    "ncnn": ("f32", "bf16 storage", "fp16 storage"),
    "onnxruntime": ("f32",),
    "openvino": ("f32", "default"),
    "torch": ("eager", "channels_last", "optimize_for_inference", "compile"),
}
# OpenVINO's default computes in bf16 where the processor can: shown, but neither f32 nor mere storage.
NOT_COUNTED = {("openvino", "default")}
PACKAGES = ("numpy", "pillow", "torch", "onnx", "onnxscript", "onnxruntime", "openvino", "ncnn", "pnnx")
NEEDED = ("numpy", "pillow", "torch")  # without these there is nothing to compare with
SLOW = 5  # seconds a run, beyond which three rounds are enough
KEPT = 1.25  # modes this much slower than the fastest of their peer are dropped after the first round
WRONG = 1e-3  # rms error that no rounding explains in f32 ...
COARSE = 0.2  # ... and in modes that round to 16 bits, which through DeOldify's hundred layers is 0.05
PATIENCE = 150  # seconds for loading, and for a run (PyTorch compiles in its first)


def say(text, end="\n"):
    print(text, end=end, file=sys.stderr, flush=True)


def stop(text):
    say("peers: " + text)
    sys.exit(1)


# ---- what is installed and exported once --------------------------------------------------------------------------


def install():
    """The virtual environment with what could be had. Returns {package: version}."""
    os.makedirs(BUILD, exist_ok=True)
    if not os.path.exists(PYTHON):
        say("making a virtual environment in build/peers/venv")
        made = subprocess.run([sys.executable, "-m", "venv", os.path.join(BUILD, "venv")], capture_output=True, text=True)
        if made.returncode:
            stop("python3 -m venv fails (Debian: apt-get install python3-venv): " + (made.stdout + made.stderr).strip()[-300:])
    log, have = os.path.join(BUILD, "install.log"), versions()
    for p in PACKAGES:
        if p in have:
            continue
        say(f"installing {p} from PyPI{' (several GB with what it asks for)' if p == 'torch' else ''} ...")
        with open(log, "a") as f:
            done = subprocess.run([PYTHON, "-m", "pip", "install", "--disable-pip-version-check", p], stdout=f, stderr=f)
        if done.returncode and p in NEEDED:
            stop(f"{p} cannot be installed (is there a network?), and nothing can be measured without it; see {log}")
        if done.returncode:
            say(f"peers: {p} cannot be installed (is there a network?), going on without it; see {log}")
    return versions()


def versions():
    code = ("import importlib.metadata as m, sys, json\nv = {}\nfor p in sys.argv[1:]:\n"
            " try: v[p] = m.version(p)\n except m.PackageNotFoundError: pass\nprint(json.dumps(v))")
    return json.loads(subprocess.run([PYTHON, "-c", code, *PACKAGES], capture_output=True, text=True, check=True).stdout)


def fingerprint(installed):
    """Of all that an exported case depends on."""
    h = hashlib.sha256(json.dumps(installed, sort_keys=True).encode())
    reference = os.path.join(TOP, "tests", "reference")
    for name in [os.path.join(HERE, f) for f in ("nets.py", "export.py")] + [
            os.path.join(reference, f) for f in sorted(os.listdir(reference)) if f.endswith(".py")]:
        with open(name, "rb") as f:
            h.update(f.read())
    return h.hexdigest()[:16]


def prepare(net, size, mark):
    """The folder of a case and what export.py says of it."""
    folder = os.path.join(BUILD, "cases", f"{net}-{size}")
    done, marked = os.path.join(folder, "case.json"), os.path.join(folder, "fingerprint")
    os.makedirs(folder, exist_ok=True)
    if not (os.path.exists(done) and os.path.exists(marked) and open(marked).read() == mark):
        say(f"exporting {net} at {size}x{size}: ", end="")
        if os.path.exists(done):
            os.remove(done)
        with open(os.path.join(folder, "export.log"), "w") as log:
            p = subprocess.Popen([PYTHON, os.path.join(HERE, "export.py"), net, str(size), folder], stdout=subprocess.PIPE,
                                 stderr=log, text=True)
            for word in p.stdout:
                say(word.strip() + " ", end="")
            p.wait()
        say("")
        if p.returncode or not os.path.exists(done):
            say(f"peers: {net} at {size}x{size} cannot be exported; see {folder}/export.log")
            return folder, None
        with open(marked, "w") as f:
            f.write(mark)
    with open(done) as f:
        return folder, json.load(f)


# ---- engines at work ----------------------------------------------------------------------------------------------


class Failed(Exception):
    pass


class Worker:
    """An engine in its process; see worker.py."""

    def __init__(self, engine, net, folder, cores, library, clock):
        self.engine, self.clock, self.times, self.others = engine, clock, [], []
        asked = {"engine": engine[0], "mode": engine[1], "net": net, "folder": folder, "cores": cores, "library": library}
        env = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": os.path.join(BUILD, "inductor"), "PYTHONWARNINGS": "ignore"}
        self.log = open(os.path.join(folder, f"{engine[0]}-{engine[1]}.log".replace(" ", "-")), "w")
        self.process = subprocess.Popen([PYTHON, os.path.join(HERE, "worker.py"), json.dumps(asked)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True, env=env)
        try:
            self.answer()
        except Failed:
            self.close()
            raise

    def answer(self):
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            raise Failed(f"no answer in {PATIENCE} s")
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            raise Failed(f"died of signal {-code}{' (out of memory?)' if code == -9 else ''}" if code < 0
                         else f"ended with {code}; see {self.log.name}")
        a = json.loads(line)
        if "failed" in a:
            raise Failed(a["failed"] + self.last_words())
        return a

    def last_words(self):
        """The library's own, which ncnn for one says only there."""
        with open(self.log.name, errors="replace") as f:
            said = [line.strip() for line in f if line.strip()]
        return f" ({said[-1][:100]})" if said and self.engine[0] == "ncnn" else ""

    def ask(self, word):
        try:
            self.process.stdin.write(word + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says why
        return self.answer()

    def run(self):
        time.sleep(0.05)  # threads of the one before that still spin go to sleep
        a = self.ask("run")
        self.times.append(a["cpu" if self.clock == "cpu" else "seconds"])
        self.others.append(a["others"] / a["seconds"])
        # two ticks of the kernel's clock are no sign of others
        return self.clock == "cpu" or a["others"] < 0.02 + 0.1 * a["seconds"]

    def forget(self, first=0):
        del self.times[first:], self.others[first:]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


class Case:
    """One network, size and number of threads."""

    def __init__(self, net, size, threads, a, installed, modes):
        self.net, self.size, self.threads, self.a = net, size, threads, a
        self.modes = modes  # {peer: modes that are worth a measurement}; the first case of a network finds them
        self.rows, self.workers = [], []
        self.installed = installed

    def fail(self, engine, why):
        say(f"  {' '.join(engine)}: {why}")
        self.rows.append({"engine": engine[0], "mode": engine[1], "failed": why})

    def start(self, engine):
        """A worker after its warm-up, or None."""
        say(f"  {' '.join(engine)} ...")
        w = None
        try:
            w = Worker(engine, self.net, self.folder, self.a.cores[:self.threads], self.a.library,
                       self.a.clock)
            for _ in range(2 if engine[1] == "optimize_for_inference" else 1):  # which profiles its first run
                w.run()
            w.first = w.times[-1]
            w.forget()
            w.facts = w.ask("end")
            most = COARSE if "storage" in engine[1] or engine in NOT_COUNTED else WRONG
            if "wrong" in w.facts or not w.facts["rms"] < most:
                raise Failed("computes something else: " + w.facts.get("wrong", f"rms error {w.facts.get('rms', 0):.2g}"))
            return w
        except Failed as e:
            if w:
                w.close()
            self.fail(engine, str(e))
            return None

    def peer(self, name):
        """The modes of a peer that go into the rounds: those near its fastest."""
        if name not in self.installed:
            self.fail((name, "all"), "is not installed")
            return []
        what = {"ncnn": "ncnn", "onnxruntime": "onnx", "openvino": "onnx"}.get(name)
        if what in self.facts["failed"]:
            self.fail((name, "all"), f"cannot be given this network: {self.facts['failed'][what]}")
            return []
        known, running = self.modes.get(name), []
        for mode in known or PEERS[name]:
            w = self.start((name, mode))
            if w and (known or self.a.all_modes):
                running.append(w)
            elif w and self.try_out(w):
                running = self.sift(running + [w])
        self.modes.setdefault(name, [w.engine[1] for w in running])
        return running

    def try_out(self, w):
        """Up to four runs, of which the least counts: one that others disturb says nothing of the mode."""
        try:
            while not w.run() and len(w.times) < 4:
                pass
            return True
        except Failed as e:
            w.close()
            self.fail(w.engine, str(e))
            return False

    def sift(self, running):
        """Those that stay when the last of them has come."""
        least, kept = min((min(w.times) for w in running if w.engine not in NOT_COUNTED), default=0), []
        for w in running:
            same = [v for v in kept if v.facts["rms"] == w.facts["rms"] and v.facts["max"] == w.facts["max"]]
            if w.engine[0] == "ncnn" and same:
                self.finish(w, f"not in the rounds: the same bits as {same[0].engine[1]}, this processor has nothing for it")
            elif w.engine in NOT_COUNTED or min(w.times) <= KEPT * least:
                kept.append(w)
            else:
                self.finish(w, "not in the rounds: this peer has a faster mode")
        return kept

    def finish(self, w, note=""):
        try:
            w.facts = w.ask("end")
        except Failed as e:
            w.close()
            self.fail(w.engine, str(e))
            return
        w.close()
        t = sorted(w.times)
        self.rows.append({"engine": w.engine[0], "mode": w.engine[1], "seconds": statistics.median(t), "low": t[len(t) // 4],
                          "high": t[3 * len(t) // 4], "rounds": len(t), "gflops": self.facts["flops"] / statistics.median(t) / 1e9,
                          "peak": w.facts["peak"], "max": w.facts["max"], "rms": w.facts["rms"],
                          "others": statistics.median(w.others), "counts": w.engine not in NOT_COUNTED, "note": note})

    def measure(self, mark):
        self.folder, self.facts = prepare(self.net, self.size, mark)
        if not self.facts:
            return False
        say(f"{self.net} {self.size}x{self.size}, {self.threads} thread(s)")
        ours = self.start(OURS)
        workers = [ours] if ours else []
        for name in self.a.peers:
            workers += self.peer(name)
        for w in workers:
            w.forget()
        self.turns(workers)
        for w in workers:
            self.finish(w)
        order = [OURS[0], *PEERS]
        self.rows.sort(key=lambda r: (order.index(r["engine"]), (*PEERS.get(r["engine"], ()), r["mode"]).index(r["mode"])))
        return True

    def turns(self, workers):
        """A round in which something else worked on the machine is made once more, as often as there are rounds."""
        rounds, done, spare = self.a.rounds, 0, self.a.rounds
        if max((w.first for w in workers if w.engine[1] != "compile"), default=0) > SLOW:
            rounds = spare = min(rounds, 3)
        while done < rounds and workers:
            quiet = True
            for w in list(workers):
                try:
                    quiet = w.run() and quiet
                except Failed as e:
                    self.fail(w.engine, str(e))
                    w.close()
                    workers.remove(w)
            if quiet or not spare:
                done += 1
                continue
            spare -= 1
            for w in workers:
                w.forget(done)


# ---- what is printed ------------------------------------------------------------------------------------------------


def fastest(rows):
    """ours and the fastest peer's row that counts; None where there is none"""
    ours = next((r for r in rows if r["engine"] == "tintype" and "seconds" in r), None)
    peers = [r for r in rows if r["engine"] != "tintype" and r.get("counts")]
    return ours, min(peers, key=lambda r: r["seconds"]) if peers else None


def table(case):
    ours, best = fastest(case.rows)
    print(f"\n{NETS[case.net][0]}, {case.size}x{case.size}, {case.threads} thread(s), {case.facts['flops'] / 1e9:.1f} GFLOP")
    print(f"  {'':32} {'median s':>9} {'(quartiles)':>17} {'n':>2} {'GFLOP/s':>8} {'MiB':>6} {'rms error':>9} {'max':>8} {'beside ours':>11}")
    for r in case.rows:
        name = f"{r['engine']} {r['mode']}"
        if "failed" in r:
            print(f"  {name:32} {r['failed']}")
            continue
        beside = f"{r['seconds'] / ours['seconds']:9.2f} x" if ours and r is not ours else ""
        notes = [r["note"]] if r["note"] else []
        notes += ["not counted: bf16 arithmetic" if r["rms"] > 1e-4 else "not counted"] if not r["counts"] else []
        notes += [f"others used {100 * r['others']:.0f} % of a core"] if r["others"] > 0.1 and case.a.clock == "wall" else []
        print(f"  {name:32} {r['seconds']:9.3f} {'(%.3f..%.3f)' % (r['low'], r['high']):>17} {r['rounds']:2} {r['gflops']:8.1f} "
              f"{r['peak'] / 1048576:6.0f} {r['rms']:9.1e} {r['max']:8.1e} {beside:>11}{'  ' if notes else ''}{'; '.join(notes)}")
    if ours and best:
        print(f"  tintype is {best['seconds'] / ours['seconds']:.2f} times as fast as the fastest peer ({best['engine']} {best['mode']})")
    sys.stdout.flush()


def lines(case):
    for r in case.rows:
        print(json.dumps({"net": case.net, "size": case.size, "threads": case.threads, "flops": case.facts["flops"], **r}))
    sys.stdout.flush()


def summary(cases, peers):
    print("\n| network | threads | tintype s | " + " | ".join(peers) + " | beside the fastest |\n" + "| --- " * (4 + len(peers)) + "|")
    for c in cases:
        ours, best = fastest(c.rows)
        cells = [f"{c.net} {c.size}", str(c.threads), f"{ours['seconds']:.3f}" if ours else "fails"]
        for p in peers:
            mine = min((r for r in c.rows if r["engine"] == p and r.get("counts")), key=lambda r: r["seconds"], default=None)
            cells.append(f"{mine['seconds']:.3f} {mine['mode']}" if mine else "cannot")
        cells.append(f"{best['seconds'] / ours['seconds']:.2f}x" if ours and best else "")
        print("| " + " | ".join(cells) + " |")


def processor():
    try:
        with open("/proc/cpuinfo") as f:
            return next(line.split(":", 1)[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def cores():
    """The processors this process may use, one of each core first."""
    first, second, seen = [], [], set()
    for cpu in sorted(os.sched_getaffinity(0)):
        try:
            with open(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list") as f:
                core = f.read().strip()
        except OSError:
            core = str(cpu)
        (second if core in seen else first).append(cpu)
        seen.add(core)
    return first + second


def arguments():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--net", nargs="+", choices=list(NETS), default=list(NETS))
    ap.add_argument("--size", nargs="+", type=int, help="sides of the square input; each network's own if missing")
    ap.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    ap.add_argument("--rounds", type=int, default=5, help="three where a run takes more than 5 s")
    ap.add_argument("--peers", nargs="+", choices=list(PEERS), default=list(PEERS))
    ap.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: what the process itself worked, which others "
                    "on the machine disturb little; for one thread (with more of them waiting is work, too)")
    ap.add_argument("--all-modes", action="store_true", help="every mode in every round, also those that are clearly slower")
    ap.add_argument("--library", default=os.path.join(TOP, "build", "libtintype.so"))
    ap.add_argument("--quick", action="store_true", help="the smallest size of each network, two threads, three rounds")
    ap.add_argument("--json", action="store_true", help="an object per line instead of tables")
    ap.add_argument("--prepare", action="store_true", help="install and export, measure nothing")
    a = ap.parse_args()
    if a.clock == "cpu" and max(a.threads) > 1:
        ap.error("--clock cpu is for --threads 1")
    a.library, a.cores = os.path.abspath(a.library), cores()
    if a.quick:
        a.rounds = 3
    if not a.prepare and not os.path.exists(a.library):
        stop(f"there is no {a.library}; run: make")
    if max(a.threads) > len(a.cores):
        a.threads = [t for t in a.threads if t <= len(a.cores)]
        say(f"peers: only {len(a.cores)} processor(s) may be used here")
        if not a.threads:
            stop("nothing is left to measure")
    if a.quick and a.threads == [1, 2]:
        a.threads = [2]
    return a


def main():
    a = arguments()
    installed = install()
    mark = fingerprint(installed)
    sizes = {n: a.size or (NETS[n][1][:1] if a.quick else NETS[n][1]) for n in a.net}
    if a.prepare:
        for net in a.net:
            for size in sizes[net]:
                prepare(net, size, mark)
        return
    if not a.json:
        print(f"{processor()}, cores {a.cores}, {'each on its own clock' if a.clock == 'cpu' else 'wall clock'}; " + ", ".join(f"{p} {v}" for p, v in installed.items() if p in PEERS) +
              f"\nrms and max error: against PyTorch in float64, relative to the rms of the output; {a.library}")
    done = []
    for net in a.net:
        modes = {}
        for size in sorted(sizes[net]):
            for threads in sorted(a.threads, reverse=True):
                case = Case(net, size, threads, a, installed, modes)
                if case.measure(mark):
                    (lines if a.json else table)(case)
                    done.append(case)
    if not a.json and done:
        summary(done, a.peers)


main()
