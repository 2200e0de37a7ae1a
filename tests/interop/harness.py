"""What the tests with real peers share: a server, its users, and the peers (baresip, sipp, sipsak, tandem's own phone).

A test is a function that takes a Place: a temporary folder and the processes that live in it, all gone afterwards. It fails by
raising; run() prints "ok NAME" or "not ok NAME: why" with the ends of the processes' logs, and exits with 0 when all were ok. Skipped
says that it cannot be made on this machine: it counts as neither.

Nothing sleeps for a guessed time: wait_for() looks until something is so, or gives up at a deadline that is far off.
"""
import ctypes, json, os, random, shutil, signal, socket, subprocess, sys, tempfile, time, traceback

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
TANDEM = os.environ.get("TANDEM", os.path.join(TOP, "build", "tandem"))
HOST = "127.0.0.1"
DOMAIN = "example.test"
PATIENCE = 20           # seconds until something that should happen at once counts as not happening

libc = ctypes.CDLL(None)


class Failure(Exception):
    pass


class Skipped(Exception):
    """a test that cannot be made here, and why"""


def check(ok, why, *args):
    if not ok:
        raise Failure(why % args if args else why)


def wait_for(probe, what, seconds=PATIENCE):
    """the first true value of probe(); a Failure when none came in time"""
    end = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure("waited %g s for %s" % (seconds, what))
        time.sleep(0.02)


def free_port(first=20000, end=32000):
    """A port of 127.0.0.1 that is free for UDP and TCP, and the next one too (RTP takes pairs); below the ephemeral ones."""
    while True:
        port = random.randrange(first, end, 2)
        try:
            for p in (port, port + 1):
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    with socket.socket(socket.AF_INET, kind) as s:
                        s.bind((HOST, p))
            return port
        except OSError:
            continue


def is_bound(port, kind):
    """does somebody have this port? Asked of the kernel, so that nobody is disturbed"""
    rows = [l.split() for l in read_file("/proc/net/" + kind).splitlines()[1:]]
    return any(int(r[1].split(":")[1], 16) == port and (kind == "udp" or r[3] == "0A") for r in rows)      # 0A: listens


def read_file(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def die_with_parent():
    libc.prctl(1, signal.SIGKILL)       # PR_SET_PDEATHSIG: a test that is killed leaves nothing behind


class Process:
    """A program with its output in files; place.close() ends it."""

    def __init__(self, place, name, *argv, stdin=subprocess.DEVNULL, env=None, cwd=None, pass_fds=()):
        self.place, self.name, self.argv = place, name, [str(a) for a in argv]
        self.out_path, self.err_path = place.path(name + ".out"), place.path(name + ".err")
        with open(self.out_path, "ab") as out, open(self.err_path, "ab") as err:
            self.p = subprocess.Popen(self.argv, stdin=stdin, stdout=out, stderr=err, cwd=cwd or place.folder,
                                      env=dict(os.environ, **(env or {})), preexec_fn=die_with_parent, pass_fds=pass_fds)
        place.processes.append(self)

    @property
    def pid(self):
        return self.p.pid

    def output(self):
        return read_file(self.out_path)

    def errors(self):
        return read_file(self.err_path)

    def events(self):
        """the JSON objects on standard output so far, a line each; a line still being written does not count"""
        found = []
        for line in self.output().split("\n")[:-1]:
            if line.startswith("{"):
                found.append(json.loads(line))
        return found

    def wait_event(self, seconds=PATIENCE, **want):
        """the first event with these keys and values"""
        def probe():
            ended = self.p.poll() is not None
            for e in self.events():
                if all(e.get(k) == v for k, v in want.items()):
                    return e
            check(not ended, "%s ended with %s and never said %s", self.name, self.p.returncode, want)
        return wait_for(probe, "%s to say %s" % (self.name, want), seconds)

    def wait(self, seconds=PATIENCE):
        """its exit status"""
        try:
            return self.p.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure("%s did not end in %g s" % (self.name, seconds)) from None

    def signal(self, number):
        self.p.send_signal(number)

    def stop(self, seconds=10):
        if self.p.poll() is None:
            self.p.terminate()
            try:
                self.p.wait(seconds)
            except subprocess.TimeoutExpired:
                self.p.kill()
                self.p.wait()
        return self.p.returncode

    def kill(self):
        self.p.kill()
        self.p.wait()


class Place:
    def __init__(self, name):
        self.folder = tempfile.mkdtemp(prefix="tandem-%s-" % name)
        self.processes = []

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def run(self, *argv, stdin=None, seconds=60, env=None, cwd=None):
        """runs a program to its end: a CompletedProcess with text"""
        try:
            return subprocess.run([str(a) for a in argv], input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                                  capture_output=True, text=True, errors="replace", timeout=seconds, cwd=cwd or self.folder,
                                  env=dict(os.environ, **(env or {})), preexec_fn=die_with_parent)
        except subprocess.TimeoutExpired:
            raise Failure("%s did not end in %g s" % (" ".join(map(str, argv[:3])), seconds)) from None

    def close(self):
        for p in reversed(self.processes):
            p.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def logs(self):
        """the ends of what everybody wrote, for a failed test"""
        lines = []
        for name in sorted(os.listdir(self.folder)):
            if name.endswith((".out", ".err", ".log")):
                tail = read_file(self.path(name)).splitlines()[-15:]
                lines += ["# %s: %s" % (name, l) for l in tail]
        return "\n".join(lines)


# ---- tandem ----

class Server:
    """`tandem serve` with a configuration of its own. The ports stay the same over a restart."""

    def __init__(self, place, name="server", users=None, trust=False, config="", domain=DOMAIN, port=0, start=True, hosts=(HOST,), tls=False):
        self.place, self.name, self.domain, self.hosts = place, name, domain, hosts
        self.port = port or free_port()
        self.tls_port = self.port + 1 if tls else None      # free_port() gives both
        self.users = users or {}
        self.process = None
        self.folder = place.path(name + ".d")
        os.mkdir(self.folder)
        self.file = os.path.join(self.folder, "tandem.yaml")
        self.configure(trust, config)
        for user, password in self.users.items():
            self.add_user(user, password)
        if start:
            self.start()

    def configure(self, trust=False, config=""):
        text = "domains:\n  - name: %s\n%s" % (self.domain, "    users: any\n" if trust == "any" else "")
        text += "listen:\n" + "".join('  - "%s:%s:%d"\n' % (t, h, self.port) for h in self.hosts for t in ("udp", "tcp"))
        text += "".join('  - "tls:%s:%d"\n' % (h, self.tls_port) for h in self.hosts if self.tls_port) + "state: ./state\n"
        text += "trust: [127.0.0.1/32]\n" if trust else ""
        with open(self.file, "w") as f:
            f.write(text + config)

    @property
    def address(self):
        return "%s:%d" % (self.hosts[0], self.port)

    @property
    def tls_address(self):
        return "%s:%d" % (self.hosts[0], self.tls_port)

    @property
    def certificate(self):
        """the file that phones may be told to believe"""
        return os.path.join(self.folder, "state", "tls.crt")

    def account(self, user, transport="udp", host=None):
        """the options of a phone of one of its users; env={"PW": …} goes with them"""
        port = self.tls_port if transport == "tls" else self.port
        return ["--as", "%s@%s" % (user, self.domain), "--password-env", "PW", "--proxy", "%s:%s:%d" % (transport, host or self.hosts[0], port)]

    def command(self, *args, stdin=None, seconds=60):
        """runs tandem with this server's configuration"""
        return self.place.run(TANDEM, *args, "-c", self.file, stdin=stdin, seconds=seconds)

    def add_user(self, user, password):
        r = self.command("user", "add", user, "--password-stdin", stdin=password + "\n")
        check(r.returncode == 0, "user add %s: %d %s", user, r.returncode, r.stderr)

    def lines(self, *args):
        """the JSON lines a command prints"""
        r = self.command(*args, "--json")
        check(r.returncode == 0, "tandem %s: %d %s", " ".join(args), r.returncode, r.stderr)
        return [json.loads(l) for l in r.stdout.splitlines()]

    def registrations(self, user=None):
        return [r for r in self.lines("registrations") if user is None or r["aor"].split("@")[0] == user]

    def start(self, wait=True):
        """starts it; waits until it says that it is ready"""
        self.starts = getattr(self, "starts", 0) + 1
        self.process = Process(self.place, "%s%d" % (self.name, self.starts), TANDEM, "serve", "--json", "-c", self.file)
        if wait:
            self.ready = self.process.wait_event(event="ready")
        return self

    def stop(self):
        """a clean stop, as everyone should get it"""
        self.process.signal(signal.SIGTERM)
        status = self.process.wait()
        check(status == 0, "the server ended with %s on SIGTERM", status)

    def kill(self):
        self.process.kill()

    def alive(self):
        return self.process.p.poll() is None


def tandem(place, *args, stdin=None, seconds=60, env=None):
    return place.run(TANDEM, *args, stdin=stdin, seconds=seconds, env=env)


def answering(place, server, user, *more, transport="udp", host=None, name=None):
    """`tandem answer`, registered"""
    p = Process(place, name or "answer-" + user, TANDEM, "answer", *server.account(user, transport, host), "--json", *more,
                env={"PW": server.users[user]})
    p.wait_event(event="registered")
    return p


def calling(place, server, user, whom, *more, transport="udp", name=None):
    """`tandem call`, begun; whom: a user of the same domain, or an address"""
    return Process(place, name or "call-" + user, TANDEM, "call", whom if "@" in whom else "%s@%s" % (whom, server.domain),
                   *server.account(user, transport), "--json", *more, env={"PW": server.users[user]})


def make_certificate(place, name, *hosts):
    """a self-signed one; its two files"""
    crt, key = place.path(name + ".crt"), place.path(name + ".key")
    r = place.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", crt,
                  "-days", "30", "-subj", "/CN=" + hosts[0], "-addext",
                  "subjectAltName=" + ",".join(("IP:" if h[0].isdigit() else "DNS:") + h for h in hosts))
    check(r.returncode == 0, "openssl req: %s", r.stderr)
    return crt, key


# ---- baresip ----

BARESIP_CONFIG = """\
poll_method epoll
sip_listen %(listen)s
%(tls)snet_interface 127.0.0.1
rtp_ports %(rtp)d-%(rtp_end)d
call_max_calls 4
audio_source aufile,%(tone)s
audio_player aubridge,out
audio_alert aubridge,alert
audio_buffer 20-160
jitter_buffer_delay 5-10
ctrl_tcp_listen 127.0.0.1:%(control)d
snd_path %(folder)s
module_path /usr/lib/baresip/modules
module g711.so
module sndfile.so
module aubridge.so
module aufile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
"""


class Baresip:
    """A baresip without sound cards: what it says comes from a file, what it hears goes to one.

    It is driven over ctrl_tcp: JSON in netstrings, commands as typed into its menu, events as they happen."""

    def __init__(self, place, user, password, server, tone, transport="udp", answer="manual", domain=None, modules=(), account=""):
        """modules: more of its own, by name; account: more of the account's parameters"""
        tls = "sip_cafile %s\n" % server.certificate if transport == "tls" else ""
        address = server.tls_address if transport == "tls" else server.address
        self.place, self.user, self.domain = place, user, domain or server.domain
        self.folder = place.path("baresip-" + user)
        os.mkdir(self.folder)
        self.seen, self.buffer, self.token = [], b"", 0
        rtp, control = free_port(), free_port()
        with open(os.path.join(self.folder, "config"), "w") as f:
            f.write(BARESIP_CONFIG % {"listen": HOST + ":0", "rtp": rtp, "rtp_end": rtp + 20, "tone": tone, "control": control,
                                      "tls": tls, "folder": self.folder})
            f.write("".join("module %s.so\n" % m for m in modules) + "rtcp_mux yes\n" * bool(modules))
        with open(os.path.join(self.folder, "accounts"), "w") as f:
            f.write("<sip:%s@%s;transport=%s>;auth_user=%s;auth_pass=%s;outbound=\"sip:%s;transport=%s\";regint=600;"
                    "answermode=%s;audio_codecs=PCMU,PCMA%s\n"
                    % (user, self.domain, transport, user, password, address, transport, answer, account))
        self.process = Process(place, "baresip-" + user, "baresip", "-f", self.folder)
        self.socket = wait_for(lambda: self._connect(control), "baresip's control port")
        self.socket.settimeout(0.02)

    def _connect(self, port):
        check(self.process.p.poll() is None, "baresip ended: %s", self.process.output()[-300:])
        try:
            return socket.create_connection((HOST, port), timeout=1)
        except OSError:
            return None

    def _pump(self):
        """reads what there is; returns answers, keeps events"""
        try:
            data = self.socket.recv(65536)
        except socket.timeout:
            return []
        check(data, "baresip of %s closed its control connection", self.user)
        self.buffer += data
        answers = []
        while b":" in self.buffer:
            size, rest = self.buffer.split(b":", 1)
            n = int(size)
            if len(rest) < n + 1:
                break
            message = json.loads(rest[:n].decode(errors="replace"))
            self.buffer = rest[n + 1:]
            (answers if message.get("response") else self.seen).append(message)
        return answers

    def command(self, command, params=None):
        self.token += 1
        message = {"command": command, "token": str(self.token)}
        if params:
            message["params"] = params
        data = json.dumps(message).encode()
        self.socket.sendall(b"%d:%s," % (len(data), data))
        answers = []

        def probe():
            answers.extend(self._pump())
            return [a for a in answers if a.get("token") == str(self.token)]
        return wait_for(probe, "baresip's answer to \"%s\"" % command)[0].get("data", "")

    def log(self):
        return self.process.output() + self.process.errors()

    def wait_registered(self):
        wait_for(lambda: "200 OK" in self.log(), "%s to be registered" % self.user)

    def wait_event(self, kind, seconds=PATIENCE):
        """the next event of this kind; events before it are dropped"""
        def probe():
            self._pump()
            for i, e in enumerate(self.seen):
                if e.get("type") == kind:
                    del self.seen[:i + 1]
                    return e
        return wait_for(probe, "%s to tell %s (it told %s)" % (self.user, kind, [e.get("type") for e in self.seen]), seconds)

    def dial(self, user):
        self.command("dial", "sip:%s@%s" % (user, self.domain))

    def heard(self):
        """its recording of the call's other side (there is one per call; the newest)"""
        names = [n for n in os.listdir(self.folder) if n.startswith("dump-") and n.endswith("-dec.wav")]
        return max((os.path.join(self.folder, n) for n in names), key=os.path.getmtime) if names else None

    def recorded_seconds(self):
        path = self.heard()
        return os.path.getsize(path) / 16000 if path else 0.0

    def stop(self):
        """quits it: it takes its registration back, and its recordings are complete afterwards"""
        try:
            self.command("quit")
        except (Failure, OSError):
            pass
        self.socket.close()
        return self.process.wait()


# ---- sipp ----

def sipp_counters(path):
    """the last row of a -trace_stat file as a dictionary"""
    rows = read_file(path).strip().splitlines()
    if len(rows) < 2:
        return {}
    return dict(zip(rows[0].split(";"), rows[-1].split(";")))


class Sipp(Process):
    def __init__(self, place, name, *args, port=None, transport="u1"):
        self.port = port or free_port()
        self.stat_path = place.path(name + ".csv")
        super().__init__(place, name, "sipp", *args, "-i", HOST, "-p", self.port, "-t", transport, "-nostdin", "-trace_stat",
                         "-stf", self.stat_path, "-fd", "1", "-trace_err", "-error_file", place.path(name + ".log"))

    def wait_bound(self, kind):
        wait_for(lambda: is_bound(self.port, kind), "%s to listen" % self.name)

    def counter(self, name):
        return int(sipp_counters(self.stat_path).get(name, -1))


# ---- running ----

def run(*tests):
    """all tests of a file, or those named on the command line"""
    names = [a for a in sys.argv[1:] if not a.startswith("-")]
    failed = 0
    if not os.access(TANDEM, os.X_OK):
        print("not ok all: there is no %s (meson setup build -Dtests=false -Dbuildtype=release; ninja -C build)" % TANDEM)
        sys.exit(1)
    for test in tests:
        name = test.__name__
        if names and not any(n in name for n in names):
            continue
        place = Place(name)
        start = time.monotonic()
        try:
            note = test(place)
            print("ok %s (%.1f s%s)" % (name, time.monotonic() - start, "; " + note if note else ""), flush=True)
        except Skipped as e:
            print("skipped %s: %s" % (name, e), flush=True)
        except Exception as e:
            failed += 1
            print("not ok %s: %s" % (name, e), flush=True)
            if not isinstance(e, Failure):
                traceback.print_exc(file=sys.stdout)
            print(place.logs(), flush=True)
        finally:
            place.close()
    sys.exit(1 if failed else 0)
