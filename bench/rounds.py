"""Paired rounds: both servers afresh in turns, so that a slow minute of the machine hits both alike."""
import os, statistics, subprocess, sys, time

import cases, measure, servers

REPS = 2                                              # counted runs of one server in one round


class Bench:
    def __init__(self, folder, build, rounds, seconds):
        self.folder, self.build, self.rounds, self.seconds = folder, build, rounds, seconds
        self.port = measure.free_ports(10)
        self.tandem = servers.Tandem(os.path.join(build, "tandem"), folder, self.port, cases.USERS)
        self.kamailio = servers.Kamailio(folder, self.port)
        cores = sorted(os.sched_getaffinity(0))
        self.server_core, self.load_core = (cores[1], cores[0]) if len(cores) > 1 else (None, None)

    def small(self):
        """a tandem that knows only as many users as a run under callgrind needs"""
        folder = os.path.join(self.folder, "small")
        os.makedirs(folder, exist_ok=True)
        return servers.Tandem(self.tandem.binary, folder, self.port, 5000)

    def generator(self, text, spin=True):
        port = self.port + ("--transport tls" in text or "--transport wss" in text)
        return [os.path.join(self.build, "bench", "sipload"), *text.split(), "--server", "127.0.0.1:%d" % port,
                "--uac-port", str(self.port + 2), "--uas-port", str(self.port + 6)] + \
            (["--window", "128"] if "--window" not in text else []) + (["--spin"] if spin and self.load_core is not None else [])

    def start(self, server, variant, pinned=True, workers=None):
        return measure.Server(server.command(variant, workers), self.port, self.server_core if pinned else None,
                              os.path.join(self.folder, server.name + ".log"))

    def speed(self, server, case):
        """the counted runs of one server in one round"""
        core = self.load_core if case.pinned else None
        generator = lambda text: self.generator(text, case.pinned)
        s = self.start(server, case.variant, case.pinned)
        try:
            if case.prep:
                measure.run_load(generator(case.prep), core)
            measure.run_load(generator(case.load.format(first=0, seconds=self.seconds / 2)), core)             # warm up
            return [measure.measured(s, generator(case.load.format(first=(k + 1) * case.unit, seconds=self.seconds)), core)
                    for k in range(REPS)]
        finally:
            s.stop()

    def growth(self, server, case, variant):
        """one server's memory: a run whose bytes_per_op is what the case asks for"""
        s = self.start(server, variant)
        try:
            if case.prep:
                measure.run_load(self.generator(case.prep), self.load_core)
            time.sleep(0.5)
            if not case.load:
                return {"bytes_per_op": measure.pss_kb(s.pids()) * 1024.0, "errors": 0}
            return measure.measured(s, self.generator(case.load), self.load_core, case.per, case.sample)
        finally:
            s.stop()

    def memory(self, server, case):
        run = self.growth(server, case, case.variant)
        if case.without:
            base = self.growth(server, case, case.without)
            run["bytes_per_op"] -= base["bytes_per_op"]
            run["errors"] += base["errors"]
        return [run]

    def rows(self, case):
        """{name of the server: its runs, one list a round}. Unsupported when tandem has no such mode."""
        runs = {"tandem": [], "kamailio": []}
        memory = isinstance(case, cases.Memory)
        for i in range(1 if memory else self.rounds):
            pair = [self.tandem, self.kamailio]
            for s in pair if i % 2 == 0 else pair[::-1]:
                progress("%-18s round %d of %d, %s" % (case.name, i + 1, self.rounds, s.name))
                runs[s.name].append((self.memory if memory else self.speed)(s, case))
        progress("")
        return runs

    def echo_us(self):
        """CPU time of one datagram echoed without any SIP"""
        udpecho = os.path.join(self.build, "bench", "udpecho")
        server = measure.start([udpecho, "server", str(self.port)], self.server_core, subprocess.DEVNULL)
        try:
            time.sleep(0.3)
            c0 = measure.cpu_s([server.pid])
            load = measure.run_load([udpecho, "client", "127.0.0.1:%d" % self.port, "500", "128", str(self.seconds)], self.load_core)
            return (measure.cpu_s([server.pid]) - c0) / load["ok"] * 1e6
        finally:
            measure.end(server)

    def handshake_us(self):
        """CPU time of the server's half of a TLS handshake by OpenSSL alone"""
        return measure.run_load([os.path.join(self.build, "bench", "tlsfloor"), str(self.seconds)], self.server_core)["us"]

    def floors(self):
        return {"echo": statistics.median(self.echo_us() for _ in range(self.rounds)),
                "handshake": statistics.median(self.handshake_us() for _ in range(self.rounds))}


def progress(text):
    if sys.stderr.isatty():
        print("\r%-60s%s" % (text, "" if text else "\r"), end="", file=sys.stderr, flush=True)
