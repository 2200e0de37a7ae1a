"""docs/performance.md and its plots. The page has parts that different commands write; each replaces its own and leaves the others."""
import os, platform, re, subprocess

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DOCS = os.path.join(TOP, "docs")
PAGE = os.path.join(DOCS, "performance.md")

PARTS = ["tables", "rooms", "growth", "cores", "threads", "micro"]
EMPTY = """# Performance

Written by the commands it names; [bench/README.md](../bench/README.md) says how everything is measured. Single figures of a shared
machine drift by a factor of two within minutes: ratios of paired rounds, instructions and bytes are what counts.

"""


def machine():
    model = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    return "%s, %d cores, Linux %s" % (model, os.cpu_count(), platform.release())


def compiler():
    return subprocess.run(["cc", "--version"], capture_output=True, text=True).stdout.splitlines()[0]


def mark(part, end=False):
    return "<!-- %s%s -->" % ("end of " if end else "", part)


def parts():
    """{name: text} of the page as it is"""
    if not os.path.exists(PAGE):
        return {}
    page = open(PAGE).read()
    found = {p: re.search(re.escape(mark(p)) + "\n(.*?)\n" + re.escape(mark(p, True)), page, re.S) for p in PARTS}
    return {p: m.group(1) for p, m in found.items() if m}


def write(part, body):
    """puts a part of the page in its place"""
    have = dict(parts(), **{part: body.strip()})
    with open(PAGE, "w") as f:
        f.write(EMPTY + "\n\n".join("%s\n%s\n%s" % (mark(p), have[p], mark(p, True)) for p in PARTS if p in have) + "\n")


def plot(name, svg):
    with open(os.path.join(DOCS, name), "w") as f:
        f.write(svg)


TABLES = """## Beside Kamailio

Written by `{command}`: every row, {rounds} rounds.

* machine: {machine}; {compiler}
* tandem: {tandem}, one worker (two in `call_rate`)
* Kamailio: {kamailio}, one worker (two in `call_rate`), tlsf allocator, memory touched in advance but in the memory table, no
  database, no logging

The server had one core, the generator the other. µs is CPU time of an operation, of all threads and processes of the server; the
ratio is Kamailio's to tandem's, round by round: median, and range over the rounds. It is held against "at least". "Floor" is the
same number of datagrams, echoed without any SIP; of `connect_tls` it is the server's half of the handshake by OpenSSL alone, through memory,
without kernel and connection: what no server that uses this OpenSSL can be faster than. Instructions are user-space instructions of tandem (callgrind). Where "generator" is near
100 %, the generator was the limit of the rate: the server then wakes up for less work at a time, so that its µs are rather too high.

![CPU time of an operation](performance-cpu.svg)

{speed}

Memory is growth of PSS over the whole process tree, per thing.

{memory}
"""
