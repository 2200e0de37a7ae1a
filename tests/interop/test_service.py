#!/usr/bin/env python3
"""tandem as a service: what it tells systemd (sd_notify), and the unit that `make install` puts in place.

In systemd's place stands a socket of the test, since nothing else hears what a service says.
"""
import ctypes, os, re, shutil, signal, socket, subprocess, time
import harness, sip
from harness import DOMAIN, HOST, TANDEM, TOP, Process, Server, check, wait_for

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17


class Manager:
    """hears what a service says of itself"""

    def __init__(self, place, abstract=False):
        self.name = ("\0tandem-test-%d" % os.getpid()) if abstract else place.path("notify.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.name)
        self.socket.settimeout(harness.PATIENCE)

    def env(self, watchdog_s=None, pid=None):
        e = {"NOTIFY_SOCKET": self.name.replace("\0", "@")}
        if watchdog_s:
            e["WATCHDOG_USEC"] = "%d" % (watchdog_s * 1e6)
        if pid:
            e["WATCHDOG_PID"] = "%d" % pid
        return e

    def next(self):
        return self.socket.recv(4096).decode().split("\n")

    def until(self, word):
        """reads up to the first that has this line; all that came before it"""
        before = []
        while True:
            lines = self.next()
            if word in lines:
                return before
            before.append(lines)

    def heard(self, seconds):
        """everything that comes in this time"""
        end, all_ = time.monotonic() + seconds, []
        while time.monotonic() < end:
            self.socket.settimeout(max(0.001, end - time.monotonic()))
            try:
                all_ += self.next()
            except socket.timeout:
                pass
        self.socket.settimeout(harness.PATIENCE)
        return all_


def serve(place, server, manager, **kw):
    server.process = Process(place, "served", TANDEM, "serve", "--json", "-c", server.file, env=manager.env(**kw))
    return server


def it_tells_how_it_is(place):
    m = Manager(place)
    server = serve(place, Server(place, start=False), m)
    check(m.next() == ["READY=1", "STATUS=serving"], "the first word is another")
    sip.Client(server).must(401, *sip.Client(server).register("alice", "sip:alice@127.0.0.1"))      # and so it is
    check(server.command("reload").returncode == 0, "reload")
    lines = m.next()
    check(lines[0] == "RELOADING=1" and re.fullmatch(r"MONOTONIC_USEC=\d+", lines[1]), "it said %s", lines)
    now = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
    check(now - 20e6 < int(lines[1][15:]) <= now, "%s at %d", lines[1], now)
    check(m.next() == ["READY=1"], "after the reload")
    with open(server.file, "a") as f:
        f.write("log: loudly\n")
    server.process.signal(signal.SIGHUP)
    check(m.next()[0] == "RELOADING=1" and m.next() == ["READY=1"], "a refused reload leaves it reloading")
    check(server.process.p.poll() is None and m.heard(0.5) == [], "it says what nobody asked: no watchdog is there")
    server.stop()
    check(m.next() == ["STOPPING=1"], "the last word is another")


def an_abstract_name(place):
    m = Manager(place, abstract=True)
    server = serve(place, Server(place, start=False), m)
    check(m.next()[0] == "READY=1", "the first word is another")
    check(server.command("drain").returncode == 0, "drain")
    check(m.next() == ["STATUS=draining, 0 calls left"], "it does not say that it drains")
    check(m.next() == ["STOPPING=1"], "the last word is another")


def nobody_to_tell(place):
    """a name that is none, or where nobody listens, is no reason not to serve"""
    for name in ("", "@", "relative", "/" + "x" * 200, place.path("nobody.sock")):
        server = Server(place, name="to%d" % len(name), start=False)
        server.process = Process(place, "served%d" % len(name), TANDEM, "serve", "--json", "-c", server.file, env={"NOTIFY_SOCKET": name})
        server.process.wait_event(event="ready")
        server.stop()


class Halted:
    """one thread of another process that stands still"""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long

    def __init__(self, tid):
        self.tid = tid

    def __enter__(self):
        for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
            check(self.libc.ptrace(request, self.tid, None, None) == 0, "ptrace: %s", os.strerror(ctypes.get_errno()))
        os.waitpid(self.tid, 0x40000000)        # __WALL

    def __exit__(self, *_):
        check(self.libc.ptrace(PTRACE_DETACH, self.tid, None, None) == 0, "ptrace: %s", os.strerror(ctypes.get_errno()))


def workers_of(pid):
    """the threads besides the first that wait for events"""
    return [int(t) for t in os.listdir("/proc/%d/task" % pid)
            if int(t) != pid and harness.read_file("/proc/%d/task/%s/syscall" % (pid, t)).split(" ")[0] in ("232", "281", "441", "22")]


def the_watchdog_hears_all_workers(place):
    m = Manager(place)
    server = serve(place, Server(place, start=False, config="workers: 1\n"), m, watchdog_s=0.6)
    m.until("READY=1")
    began = time.monotonic()
    for _ in range(5):
        check(m.next() == ["WATCHDOG=1"], "it said something else")
    took = time.monotonic() - began
    check(0.7 < took < 5, "five times in %.2f s", took)            # every 0.2 s
    workers = wait_for(lambda: workers_of(server.process.pid), "the worker to wait for something")
    check(len(workers) == 1, "threads that may be the worker: %s", workers)
    with Halted(workers[0]):
        m.heard(0.3)                                                # what was asked before it stood still
        check(m.heard(1.2) == [], "a worker stands still, and the watchdog is fed")
    check(m.next() == ["WATCHDOG=1"], "it turns again")
    server.stop()
    m.until("STOPPING=1")


def the_watchdog_of_another(place):
    """variables that were meant for a parent are not taken for ours"""
    m = Manager(place)
    server = serve(place, Server(place, start=False), m, watchdog_s=0.1, pid=os.getpid())
    m.until("READY=1")
    check(m.heard(0.5) == [], "it feeds another's watchdog")
    server.stop()


def the_unit(place):
    """it is installed, names the binary that is installed beside it, and systemd finds nothing wrong with it"""
    root = place.path("root")
    r = place.run("meson", "install", "-C", os.path.dirname(TANDEM), "--no-rebuild", "--destdir", root)
    check(r.returncode == 0, "install: %s", r.stderr[-500:])
    unit = os.path.join(root, "usr/local/lib/systemd/system/tandem.service")
    text = open(unit).read()
    check("@" not in re.sub(r"@(system-service|privileged)", "", text), "something was not filled in")
    binary = re.search(r"^ExecStart=(\S+)", text, re.M).group(1)
    check(os.access(root + binary, os.X_OK), "there is no %s", binary)
    if not shutil.which("systemd-analyze"):
        return "without systemd-analyze"
    path = place.write("tandem.service", text.replace(binary, root + binary))
    r = place.run("systemd-analyze", "verify", "--man=no", path)
    check(r.returncode == 0 and "tandem.service" not in r.stderr, "verify: %s", r.stderr)
    r = place.run("systemd-analyze", "security", "--offline=true", path)
    level = re.search(r"Overall exposure level for tandem.service: ([\d.]+)", r.stdout)
    check(level and float(level.group(1)) < 3, "it is exposed: %s", r.stdout[-300:])
    return "exposure level %s of 10" % level.group(1)


if __name__ == "__main__":
    harness.run(it_tells_how_it_is, an_abstract_name, nobody_to_tell, the_watchdog_hears_all_workers, the_watchdog_of_another, the_unit)
