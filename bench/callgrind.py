"""User-space instructions of an operation, counted by callgrind over all processes of the server."""
import glob, os, shutil, subprocess, tempfile, time
from typing import NamedTuple

import measure

REG = "register --users 200"
# name: variant of the server, what goes before, the load of {n} operations
CASES = {
    "options": ("plain", None, "options --count {n}"),
    "register": ("plain", None, "register --users {n}"),
    "refresh": ("plain", REG, "register --users 200 --count {n}"),
    "refresh_md5": ("auth", REG, "register --users 200 --preauth --count {n}"),
    "register_md5": ("auth", None, "register --users {n}"),
    "message": ("plain", REG, "message --users 200 --random --count {n}"),
    "message_stateless": ("stateless", REG, "message --users 200 --random --count {n}"),
    "call": ("plain", REG, "call --users 200 --random --count {n}"),
    "call_dialog": ("dialog", REG, "call --users 200 --random --count {n}"),
}
TRIES = 4


class Cost(NamedTuple):
    instructions: float
    profile: str                                      # callgrind's file of the longer run's busiest process
    operations: int                                   # of that run


def total(path):
    for line in open(path, errors="replace"):
        if line.startswith(("summary:", "totals:")):
            return int(line.split()[1])
    return 0


def tool(out, *options):
    return ["valgrind", "--tool=callgrind", "--callgrind-out-file=%s/cg.%%p" % out, *options]


def run(server, bench, name, n, window):
    """(instructions, operations, profile) of one run; again when the generator had to repeat itself"""
    variant, prep, load = CASES[name]
    generator = lambda text: measure.run_load(bench.generator(text + " --window %d" % window, spin=False))
    for _ in range(TRIES):
        out = tempfile.mkdtemp(dir=bench.folder)
        s = measure.Server(tool(out) + server.command(variant), bench.port, None, os.path.join(bench.folder, "callgrind.log"), timeout=180)
        try:
            repeats = generator(prep)["retransmits"] if prep else 0
            load_ = generator(load.format(n=n))
        finally:
            s.stop()
            time.sleep(0.5)
        files = glob.glob(out + "/cg.*")
        if not repeats + load_["retransmits"]:
            return sum(total(f) for f in files), load_["ok"], max(files, key=total)
        shutil.rmtree(out)
    raise RuntimeError("%s: the machine is too busy, every run had retransmissions" % name)


def per_operation(server, bench, name, n1=1000, n2=4000, window=4):
    """The difference between n1 and n2 operations, divided: starting and stopping do not count."""
    a, b = run(server, bench, name, n1, window), run(server, bench, name, n2, window)
    return Cost((b[0] - a[0]) / (b[1] - a[1]), b[2], b[1])


def program(argv, folder, n1, n2):
    """the same for a program that ends by itself; argv(n)"""
    count = []
    for n in (n1, n2):
        out = tempfile.mkdtemp(dir=folder)
        subprocess.run(tool(out) + argv(n), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        count.append(sum(total(f) for f in glob.glob(out + "/cg.*")))
    return (count[1] - count[0]) / (n2 - n1)
