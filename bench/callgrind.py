"""User-space instructions of an operation, counted by callgrind over all processes of the server."""
import glob, os, re, shutil, subprocess, tempfile, time
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
    "malformed": ("plain", None, "malformed --quiet --count {n}"),
    "call": ("plain", REG, "call --users 200 --random --count {n}"),
    "call_dialog": ("dialog", REG, "call --users 200 --random --count {n}"),
}
TRIES = 4


ALLOCATES = re.compile(r"(malloc|calloc|realloc|aligned_alloc|posix_memalign|memalign)(@.*)?('\d+)?$")
COPIES = re.compile(r"_*(memcpy|mempcpy|memmove)(_|'|@|$)")


class Cost(NamedTuple):
    """of one operation"""
    instructions: float
    allocations: float                                # calls of malloc and its kin
    copies: float                                     # calls of memcpy and its kin; those the compiler wrote out do not show


class Run(NamedTuple):
    cost: Cost                                        # of the whole run, all processes
    operations: int
    profile: str                                      # callgrind's file of the busiest process


def read(path):
    """callgrind's file as a Cost"""
    names, callee, total, allocations, copies = {}, "", 0, 0, 0
    for line in open(path, errors="replace"):
        if line.startswith(("summary:", "totals:")):
            total = int(line.split()[1])
        elif line.startswith(("fn=", "cfn=")):        # a name is written once, then its number stands for it
            number, _, name = line.split("=", 1)[1].strip().partition(" ")
            name = names.setdefault(number, name)
            callee = name if line[0] == "c" else callee
        elif line.startswith("calls="):
            n = int(line[6:].split()[0])
            allocations += n if ALLOCATES.match(callee) else 0
            copies += n if COPIES.match(callee) else 0
    return Cost(total, allocations, copies)


def gather(folder):
    """(all processes' costs added, the busiest one's file)"""
    files = glob.glob(folder + "/cg.*")
    costs = [read(f) for f in files]
    return Cost(*map(sum, zip(*costs))), max(zip(costs, files))[1]


def tool(out, *options):
    return ["valgrind", "--tool=callgrind", "--callgrind-out-file=%s/cg.%%p" % out, *options]


def run(server, bench, name, n, window):
    """a Run of n operations; again when the generator had to repeat itself"""
    variant, prep, load = CASES[name]
    generator = lambda text: measure.run_load(bench.generator(text + " --window %d" % window, spin=False))
    for _ in range(TRIES):
        out = tempfile.mkdtemp(dir=bench.folder)
        s = measure.Server(tool(out) + server.command(variant), bench.port, None, os.path.join(bench.folder, "callgrind.log"), timeout=180)
        try:
            repeats = generator(prep)["retransmits"] if prep else 0
            done = generator(load.format(n=n))
        finally:
            s.stop()
            time.sleep(0.5)
        if not repeats + done["retransmits"]:
            cost, profile = gather(out)
            return Run(cost, done["ok"], profile)
        shutil.rmtree(out)
    raise RuntimeError("%s: the machine is too busy, every run had retransmissions" % name)


def per_operation(server, bench, name, n1=1000, n2=4000, window=4):
    """(Cost of one operation, the longer Run): the difference between n1 and n2 operations, so that starting and stopping do not count."""
    a, b = run(server, bench, name, n1, window), run(server, bench, name, n2, window)
    return Cost(*((y - x) / (b.operations - a.operations) for x, y in zip(a.cost, b.cost))), b


def micro(program, folder, name, n):
    """Cost of one of n operations of a program of src/micro, counted inside its functions timed_…"""
    out = tempfile.mkdtemp(dir=folder)
    subprocess.run(tool(out, "--toggle-collect=timed_*") + [program, "--size", "20000", name, str(n)], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return Cost(*(x / n for x in gather(out)[0]))
