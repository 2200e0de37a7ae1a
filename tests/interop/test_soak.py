#!/usr/bin/env python3
"""A short soak (bench/soak, ten minutes by `make soak`): calls beside 20,000 broken datagrams a second. And what it would say of a
server that loses calls or memory.
"""
import importlib.machinery, importlib.util, os, subprocess, sys
import harness
from harness import TOP, check

SOAK = os.path.join(TOP, "bench", "soak")


def soak():
    loader = importlib.machinery.SourceFileLoader("soak", SOAK)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("soak", loader))
    loader.exec_module(module)
    return module


def g25_calls_beside_a_flood(place):
    r = subprocess.run([sys.executable, SOAK], env=dict(os.environ, SECONDS="4", CALLS="50", TMPDIR=place.folder), capture_output=True,
                       text=True, timeout=300)
    check(r.returncode == 0, "%s", r.stdout + r.stderr)
    for line in ("calls    pass", "memory   pass", "flood    pass"):
        check(line in r.stdout, "no \"%s\" in: %s", line, r.stdout)


def calls_beside_reloads(place):
    """must-show 6 of issue 4, short: not one call is lost by reloads of other configurations, nor by wrong ones"""
    r = subprocess.run([sys.executable, SOAK], env=dict(os.environ, SECONDS="6", CALLS="300", JUNK="0", RELOAD="0.2", TMPDIR=place.folder),
                       capture_output=True, text=True, timeout=300)
    check(r.returncode == 0, "%s", r.stdout + r.stderr)
    for line in ("calls    pass   100.000 %", "memory   pass", "reloads  pass"):
        check(line in r.stdout, "no \"%s\" in: %s", line, r.stdout)


def lost_calls_show(place):
    s, load = soak(), {"ok": 9989, "failed": 5, "timeouts": 4, "unfinished": 2, "verify_errors": 0}
    check(s.success(load) < s.SUCCESS, "%g of the calls is enough", s.success(load))
    check(s.success(dict(load, ok=9995, failed=0)) >= s.SUCCESS, "%g is not", s.success(load))
    check(s.success(dict.fromkeys(load, 0)) < s.SUCCESS, "no call is as good as all")


def a_leak_shows(place):
    """16 bytes of each datagram, in a minute; and nothing, while the calls of the first half minute come to be kept"""
    s, flood = soak(), 20000
    calls = lambda t: 100 * 2048 * min(t, 32)
    flat = [(t / 2, 10e6 + calls(t / 2)) for t in range(120)]
    leak = [(t, b + 16 * flood * t) for t, b in flat]
    for seconds in (60, 8):
        part = lambda samples: [p for p in samples if p[0] < seconds]
        grew, may = s.growth(part(flat), seconds, 100)
        check(grew <= may, "flat for %d s: %g > %g", seconds, grew, may)
    grew, may = s.growth(leak, 60, 100)
    check(grew > may, "leaking: %g <= %g", grew, may)
    check(s.growth([], 60, 100)[0] > may, "no samples are as good as flat ones")


if __name__ == "__main__":
    harness.run(g25_calls_beside_a_flood, calls_beside_reloads, lost_calls_show, a_leak_shows)
