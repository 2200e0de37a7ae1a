"""A server under a load: start it, account for its whole process tree, stop it.

cpu_s is the on-CPU time of all threads (nanosecond counters of the scheduler); pss_kb the sum of PSS, so that memory shared
between processes counts once. Loopback receive work is done in the sender's system call: each side pays for what it sends.
"""
import ctypes, json, os, signal, socket, subprocess, time

libc = ctypes.CDLL(None)


def tree(root):
    """the process and everything below it"""
    kids = {}
    for d in os.listdir("/proc"):
        if d.isdigit():
            try:
                s = open("/proc/%s/stat" % d).read()
            except OSError:
                continue
            kids.setdefault(int(s[s.rindex(")") + 2:].split()[1]), []).append(int(d))
    out, todo = [], [root]
    while todo:
        p = todo.pop()
        if os.path.exists("/proc/%d" % p):
            out.append(p)
            todo += kids.get(p, [])
    return out


def cpu_s(pids):
    ns = 0
    for p in pids:
        try:
            for t in os.listdir("/proc/%d/task" % p):
                ns += int(open("/proc/%d/task/%s/schedstat" % (p, t)).read().split()[0])
        except OSError:
            pass
    return ns / 1e9


def pss_kb(pids):
    pss = 0
    for p in pids:
        try:
            for line in open("/proc/%d/smaps_rollup" % p):
                if line.startswith("Pss:"):
                    pss += int(line.split()[1])
        except OSError:
            pass
    return pss


def free_ports(n):
    """the first of n ports in a row that nobody uses on 127.0.0.1, below the kernel's own range"""
    for base in range(20000 + os.getpid() % 4000, 32000 - n, n):
        held = []
        try:
            for port in range(base, base + n):
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    s = socket.socket(socket.AF_INET, kind)
                    held.append(s)
                    s.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
        finally:
            for s in held:
                s.close()
    raise RuntimeError("no %d free ports in a row" % n)


PROBE = ("OPTIONS sip:bench.test SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;rport;branch=z9hG4bKready%d\r\nMax-Forwards: 70\r\n"
         "From: <sip:ready@bench.test>;tag=r%d\r\nTo: <sip:bench.test>\r\nCall-ID: ready%d-%d\r\nCSeq: 1 OPTIONS\r\n"
         "Content-Length: 0\r\n\r\n")


def answers(port, n):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.02 if n < 200 else 0.2)
        s.connect(("127.0.0.1", port))
        host, mine = s.getsockname()
        try:
            s.send((PROBE % (host, mine, n, n, n, mine)).encode())
            return s.recv(4096).startswith(b"SIP/2.0")
        except OSError:
            time.sleep(0.002)
            return False


def end_with_us():
    libc.prctl(1, signal.SIGTERM)       # PR_SET_PDEATHSIG: a bench that is killed leaves nothing behind


def start(argv, core, stdout, stderr=None):
    """on one core, and as root ahead of other people's work: whoever is measured alike. A session has its own share of the
    cores (autogroup), so the priority is said for both, process and session."""
    root = core is not None and os.geteuid() == 0
    if core is not None:
        argv = (["nice", "-n", "-15"] if root else []) + ["taskset", "-c", str(core)] + argv
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True,
                         preexec_fn=end_with_us)
    if root:
        try:
            with open("/proc/%d/autogroup" % p.pid, "w") as f:
                f.write("-15")
        except OSError:
            pass
    return p


def stands(group):
    try:
        os.killpg(group, 0)
        return True
    except OSError:
        return False


def end(p, patience_s=20):
    """What start() started, and all that it started: a session is a process group. It is asked first; workers whose main process
    is gone have two seconds more, for callgrind's files."""
    try:
        p.terminate()
        p.wait(patience_s)
        until = time.monotonic() + 2
        while stands(p.pid) and time.monotonic() < until:
            time.sleep(0.01)
    except subprocess.TimeoutExpired:
        pass
    finally:
        try:
            os.killpg(p.pid, signal.SIGKILL)
        except OSError:
            pass
        p.wait()


def kill_children():
    """Whoever was started and not ended: an interruption can come between a start and the `try` behind it."""
    for p in tree(os.getpid())[1:]:
        try:
            group = os.getpgid(p)
            if group == os.getpgrp():
                os.kill(p, signal.SIGKILL)
            else:
                os.killpg(group, signal.SIGKILL)
        except OSError:
            pass


class Server:
    """argv is started on one core and is ready when it answers an OPTIONS"""

    def __init__(self, argv, port, core=None, log=None, timeout=60):
        out = open(log, "ab") if log else subprocess.DEVNULL
        t0 = time.monotonic()
        self.p = start(argv, core, out, out)
        n = 0
        try:
            while not answers(port, n):
                n += 1
                if self.p.poll() is not None or time.monotonic() - t0 > timeout:
                    raise RuntimeError("the server did not become ready: " + " ".join(argv) + (" (see %s)" % log if log else ""))
        except BaseException:                           # being interrupted too
            self.stop()
            raise
        self.startup_s = time.monotonic() - t0

    def pids(self):
        return tree(self.p.pid)

    def stop(self):
        end(self.p)


def run_load(argv, core=None, timeout=500, watch=None):
    """the load's JSON; watch() is called twice a second while it lasts"""
    p = start(argv, core, subprocess.PIPE)
    try:
        while watch and p.poll() is None:
            watch()
            time.sleep(0.5)
        out, _ = p.communicate(timeout=timeout)
        return json.loads(out)
    except ValueError:
        raise RuntimeError("the load printed no JSON (exit %s): %s" % (p.returncode, " ".join(argv)))
    finally:
        if p.poll() is None:
            p.kill()
            p.wait()


def measured(server, argv, core=None, per="ok", sample=False):
    """One run of the load, with what it cost the server. per: the load's count that costs are divided by; sample: the growth
    of memory is that of the peak, not of the end."""
    pids = server.pids()
    m0, c0 = pss_kb(pids), cpu_s(pids)
    peak = [m0]
    load = run_load(argv, core, watch=(lambda: peak.append(pss_kb(pids))) if sample else None)
    c1, m1 = cpu_s(pids), pss_kb(pids)
    if sample:
        m1 = max(peak)
    n = load[per] or 1
    return {"load": load, "rate": load["rate"], "cpu_us": (c1 - c0) / n * 1e6, "server_util": (c1 - c0) / (load["elapsed_s"] or 1),
            "generator_util": load.get("generator_util", 0), "pss_before_kb": m0, "pss_after_kb": m1,
            "bytes_per_op": (m1 - m0) * 1024.0 / n, "p99_ms": load.get("final_us", {}).get("p99", 0) / 1000.0,
            "errors": load["verify_errors"] + load["failed"] + load["timeouts"], "retransmits": load["retransmits"]}
