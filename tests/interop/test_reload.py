#!/usr/bin/env python3
"""Reloads beside calls of another program (sipp): none is lost, whether the new configuration is good or wrong; and a thousand of them
leave nothing in memory. (`make soak RELOAD=1 JUNK=0` is the long form.)"""
import json, os, re, socket, time
import harness, sip
from harness import HOST, Server, Sipp, check, read_file, wait_for

RATE, CALLS, EVERY_S = 150, 900, 0.2


class Reloader:
    """asks over the control socket, as `tandem reload` does after it has read the file itself"""

    def __init__(self, server):
        self.server, self.n = server, 0
        self.text = read_file(server.file)
        self.control = os.path.join(server.folder, "state", "control.sock")

    def ask(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(harness.PATIENCE)
            s.connect(self.control)
            s.sendall(b'{"cmd": "reload"}\n')
            return next(a for a in map(json.loads, s.makefile()) if a.get("end"))

    def once(self):
        self.n += 1
        wrong = self.n % 5 == 0
        more = ("ring: [{number: '%d', to: [service]}]\n" % self.n, "trust: [127.0.0.1/32, 10.%d.0.0/16]\n" % (self.n % 250))[self.n % 2]
        text = self.text if more.startswith("ring") else re.sub(r"trust: .*\n", "", self.text)
        with open(self.server.file, "w") as f:
            f.write(text + more + "log: loudly\n" * wrong)
        answer = self.ask()
        check(bool(answer.get("error")) == wrong, "reload %d: %s", self.n, answer)
        if wrong:
            check(re.search(r"tandem\.yaml:\d+:\d+: .*loudly", answer["error"]), "it says: %s", answer)


def no_call_is_lost(place):
    server = Server(place, trust="any")
    uas = Sipp(place, "uas", "-sn", "uas")
    uas.wait_bound("udp")
    sip.Client(server).must(200, *sip.Client(server).register("service", "sip:service@%s:%d" % (HOST, uas.port)))
    r = Reloader(server)
    uac = Sipp(place, "uac", "-sn", "uac", server.address, "-m", CALLS, "-r", RATE, "-d", 500)
    due = time.monotonic()
    while uac.p.poll() is None:
        r.once()
        due += EVERY_S
        wait_for(lambda: time.monotonic() >= due or uac.p.poll() is not None, "the next reload", 60)
    good, failed = (uac.counter(n + "(C)") for n in ("SuccessfulCall", "FailedCall"))
    check((good, failed) == (CALLS, 0), "%d calls were good, %d failed", good, failed)
    check(r.n > 0.8 * CALLS / RATE / EVERY_S, "only %d reloads", r.n)
    check(server.lines("status")[0]["calls"] == {"answered": CALLS, "failed": 0}, "the server counts %s", server.lines("status")[0]["calls"])
    server.stop()
    return "%d calls, %d reloads" % (CALLS, r.n)


def pss_kb(pid):
    return int(re.search(r"^Pss:\s+(\d+)", read_file("/proc/%d/smaps_rollup" % pid), re.M).group(1))


def they_leave_nothing(place):
    server = Server(place, trust="any")
    for n in range(20):
        server.add_user("u%d" % n, "secret-%d-x" % n)
    r = Reloader(server)
    while r.n < 200:
        r.once()
    before = pss_kb(server.process.pid)
    while r.n < 1200:
        r.once()
    grew = pss_kb(server.process.pid) - before
    check(grew < 700, "a thousand reloads leave %d kB", grew)     # one block of each would be more
    server.stop()
    return "%d kB after a thousand" % grew


if __name__ == "__main__":
    harness.run(no_call_is_lost, they_leave_nothing)
