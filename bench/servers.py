"""The two servers, as command lines. Both listen on the same port, serve the domain bench.test, accept any AOR (variant auth:
challenge REGISTER with MD5, password "secret" for every user), record-route INVITE and answer OPTIONS themselves."""
import os, re, subprocess

HERE = os.path.dirname(os.path.abspath(__file__))

TANDEM = """domains:
  - name: bench.test
    users: {users}
listen:
  - udp:127.0.0.1:{port}
  - tcp:127.0.0.1:{port}
state: {state}
workers: 1
registrations: memory
{access}log: warn
"""


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

    def command(self, variant):
        auth = variant == "auth"
        access = "digest: [MD5]\nlimits: {rate: 100000000, burst: 100000000}\n" if auth else "trust: [127.0.0.1/32]\n"
        config = os.path.join(self.folder, "tandem-%s.yaml" % variant)
        with open(config, "w") as f:
            f.write(TANDEM.format(users="local" if auth else "any", port=self.port, access=access,
                                  state=os.path.join(self.folder, "auth" if auth else "plain")))
        if auth:
            self.import_users(config)
        return [self.binary, "serve", "-c", config]


class Kamailio:
    """At its best settings: one worker per core, the tlsf allocator, memory touched in advance (but where memory is the
    question), no logging, no database."""
    name = "kamailio"

    def __init__(self, folder, port):
        self.folder, self.port = folder, port

    def version(self):
        out = subprocess.run(["kamailio", "-v"], capture_output=True, text=True).stdout
        return re.match(r"version: (\S+ \S+)", out).group(1)

    def command(self, variant):
        argv = ["kamailio", "-DD", "-f", os.path.join(HERE, "kamailio.cfg"), "-m", "4096", "-M", "16", "-x", "tlsf", "-X", "tlsf",
                "-b", "4194304", "-l", "udp:127.0.0.1:%d" % self.port, "-Y", self.folder]
        if variant != "mem":
            argv += ["-A", "PRETOUCH"]
        if variant == "auth":
            argv += ["-A", "WITH_AUTH"]
        return argv
