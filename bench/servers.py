"""The two servers, as command lines. Both listen on the same port, serve the domain bench.test, accept any address, record-route
INVITE and answer OPTIONS themselves. The variants:

plain        no authentication, stateful      two        the same, two workers
durable      registrations on disk (tandem; Kamailio stays in memory)
auth         REGISTER is challenged with MD5, password "secret" for every user
auth_sha256  the same with SHA-256            dialog     every call is tracked to its end
tracked      tandem's defaults: calls are tracked      unrecorded   the same without their records
stateless    no transactions                  tcp        TCP as well
tls          TCP and TLS as well, with one ECDSA P-256 certificate for both servers
wss          the same with secure WebSocket
big          plain, with room for a million addresses
mem…         plain, dialog, tcp, tls or wss, memory not touched in advance
"""
import os, re, shutil, subprocess

HERE = os.path.dirname(os.path.abspath(__file__))

TRUSTED = "trust: [127.0.0.1/32]\n"
UNTRACKED = TRUSTED + "calls: {track: no}\n"
UNLIMITED = "limits: {rate: 100000000, burst: 100000000}\n"
# variant: kind of users, mode, registrations, and the rest of the configuration
TANDEM = {
    "plain": ("any", "proxy", "memory", UNTRACKED),
    "two": ("any", "proxy", "memory", UNTRACKED),
    "durable": ("any", "proxy", "durable", UNTRACKED),
    "auth": ("local", "proxy", "memory", "digest: [MD5]\n" + UNLIMITED),
    "auth_sha256": ("local", "proxy", "memory", "digest: [SHA-256]\n" + UNLIMITED),
    "dialog": ("any", "proxy", "memory", TRUSTED + "calls: {track: yes, records: yes, per_user: 1000}\n"),
    "tracked": ("any", "proxy", "memory", TRUSTED),
    "unrecorded": ("any", "proxy", "memory", TRUSTED + "calls: {records: no}\n"),
    "stateless": ("any", "stateless", "memory", UNTRACKED),
    "tcp": ("any", "proxy", "memory", UNTRACKED + "limits: {connections_per_source: 20000}\n"),
    "tls": ("any", "proxy", "memory", "trust: [127.0.0.0/8]\ncalls: {track: no}\n"
            "limits: {connections_per_source: 20000, rate: 100000000, burst: 100000000}\n"),
}
TANDEM["wss"] = TANDEM["tls"]
ALIAS = {"big": "plain", "mem": "plain", "mem_dialog": "dialog", "mem_tcp": "tcp", "mem_tls": "tls", "mem_wss": "wss"}

CONFIG = """domains:
  - name: bench.test
    users: {users}
    mode: {mode}
listen:
  - udp:127.0.0.1:{port}
  - tcp:127.0.0.1:{port}
{tls}state: {state}
workers: {workers}
registrations: {registrations}
{rest}log: warn
"""


def certificate(folder):
    """the two files of a certificate for bench.test; made when they are not there"""
    crt, key = os.path.join(folder, "bench.crt"), os.path.join(folder, "bench.key")
    if not os.path.exists(crt):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                        "/CN=bench.test", "-addext", "subjectAltName=DNS:bench.test,IP:127.0.0.1", "-keyout", key, "-out", crt],
                       check=True, capture_output=True)
    return crt, key


class Unsupported(Exception):
    """the server has no such mode; the text is its own"""


class Tandem:
    name = "tandem"

    def __init__(self, binary, folder, port, user_n):
        self.binary, self.folder, self.port, self.user_n = binary, folder, port, user_n
        self.users_ready = False

    def version(self):
        return subprocess.run([self.binary, "--version"], capture_output=True, text=True).stdout.strip()

    def import_users(self, config):
        if self.users_ready:
            return
        path = os.path.join(self.folder, "users.csv")
        with open(path, "w") as f:
            f.writelines("u%08d@bench.test,secret\n" % i for i in range(self.user_n))
        subprocess.run([self.binary, "user", "import", path, "-c", config], check=True, stdout=subprocess.DEVNULL)
        self.users_ready = True

    def configuration(self, variant, workers=None):
        """the path of the variant's configuration; its state folder is left as it is"""
        kind = ALIAS.get(variant, variant)
        users, mode, registrations, rest = TANDEM[kind]
        path = os.path.join(self.folder, "tandem-%s.yaml" % variant)
        if kind in ("tls", "wss"):
            rest += "tls: {certificate: %s, key: %s}\n" % certificate(self.folder)
        with open(path, "w") as f:
            f.write(CONFIG.format(users=users, mode=mode, tls="  - %s:127.0.0.1:%d\n" % (kind, self.port + 1) if kind in ("tls", "wss") else "", port=self.port, state=self.state(variant), registrations=registrations,
                                  workers=workers or (2 if kind == "two" else 1), rest=rest))
        r = subprocess.run([self.binary, "serve", "--check", "-c", path], capture_output=True, text=True)
        if r.returncode:
            said = (r.stderr + r.stdout).strip().splitlines()[-1]
            raise Unsupported(re.sub(r"^\S+: | \(want .*| here \(.*", "", said))
        return path

    def state(self, variant):
        return os.path.join(self.folder, "users" if variant.startswith("auth") else "state-" + variant)

    def command(self, variant, workers=None):
        path = self.configuration(variant, workers)
        if variant.startswith("auth"):
            self.import_users(path)
        else:
            shutil.rmtree(self.state(variant), ignore_errors=True)
        return [self.binary, "serve", "-c", path]


# variant: megabytes of its pool, and what kamailio.cfg is told
KAMAILIO = {
    "plain": (4096, []), "durable": (4096, []), "two": (4096, ["CHILDREN=2"]), "auth": (4096, ["WITH_AUTH"]),
    "auth_sha256": (4096, ["WITH_AUTH", "WITH_SHA256"]), "dialog": (4096, ["WITH_DIALOG"]), "stateless": (1024, ["STATELESS"]),
    "tcp": (4096, ["WITH_TCP"]), "tls": (4096, ["WITH_TCP", "WITH_TLS"]), "big": (8192, []),
    "mem": (8192, []), "mem_dialog": (8192, ["WITH_DIALOG"]), "mem_tcp": (8192, ["WITH_TCP"]),
    "mem_tls": (8192, ["WITH_TCP", "WITH_TLS"]), "mem_wss": (8192, ["WITH_TCP", "WITH_TLS", "WITH_WS"]),
}


class Kamailio:
    """At its best settings: one worker per core, the tlsf allocator, memory touched in advance (but where memory is the
    question), no logging, no database."""
    name = "kamailio"

    def __init__(self, folder, port):
        self.folder, self.port = folder, port

    def version(self):
        out = subprocess.run(["kamailio", "-v"], capture_output=True, text=True).stdout
        return re.match(r"version: (\S+ \S+)", out).group(1)

    def command(self, variant, workers=None):
        megabytes, defines = KAMAILIO[variant]
        listen = ["udp"] + (["tcp"] if "WITH_TCP" in defines else [])
        touched = [] if variant.startswith("mem") else ["PRETOUCH"]
        argv = ["kamailio", "-DD", "-f", os.path.join(HERE, "kamailio.cfg"), "-m", str(megabytes), "-M", "16", "-x", "tlsf", "-X", "tlsf",
                "-b", "4194304", "-Y", self.folder]
        for proto in listen:
            argv += ["-l", "%s:127.0.0.1:%d" % (proto, self.port)]
        if "WITH_TLS" in defines:
            argv += ["-l", "tls:127.0.0.1:%d" % (self.port + 1)]
            for name, path in zip(("TLS_CERT", "TLS_KEY"), certificate(self.folder)):
                argv += ["-A", '%s="%s"' % (name, path)]
        for define in touched + defines + (["CHILDREN=%d" % workers] if workers else []):
            argv += ["-A", define]
        return argv
