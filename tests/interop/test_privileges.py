#!/usr/bin/env python3
"""What root's server keeps of root's rights: nothing. Needs root; without it only what others see is tested."""
import os, random, re, signal, socket
import harness, sip
from harness import DOMAIN, HOST, TANDEM, Process, Server, check, read_file, wait_for
from test_supervise import Supervised

USER = "nobody"
UID = 65534
ROOT = os.geteuid() == 0


def low_port():
    """two ports below 1024 that are free"""
    while True:
        port = random.randrange(600, 1022, 2)
        try:
            for p in (port, port + 1):
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    with socket.socket(socket.AF_INET, kind) as s:
                        s.bind((HOST, p))
            return port
        except OSError:
            continue


def make(place, kind=Server, config="user: %s\n" % USER, **kw):
    os.chmod(place.folder, 0o711)       # the user must get to his state folder
    return kind(place, port=low_port(), tls=True, config=config, start=False, **kw)


def prepared(server):
    """root makes the folders above the state"""
    os.makedirs(os.path.join(server.folder, "state"), mode=0o700, exist_ok=True)
    os.chown(os.path.join(server.folder, "state"), UID, UID)
    return server


def threads(pid):
    """/proc's words about each thread"""
    return [dict(l.split(":\t", 1) for l in read_file("/proc/%d/task/%s/status" % (pid, t)).splitlines() if ":\t" in l)
            for t in os.listdir("/proc/%d/task" % pid)]


def has_no_rights(pid):
    for t in threads(pid):
        who = "thread %s (%s)" % (t["Pid"], t["Name"])
        check(t["Uid"].split() == [str(UID)] * 4 and len(set(t["Gid"].split())) == 1 and "0" not in t["Gid"].split(), "%s: %s %s", who, t["Uid"], t["Gid"])
        check("0" not in t["Groups"].split(), "%s is in root's group", who)
        for c in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            check(int(t[c], 16) == 0, "%s has %s %s", who, c, t[c])
        check(t["NoNewPrivs"] == "1", "%s could get new ones", who)


def all_is_his(server):
    state = os.path.join(server.folder, "state")
    for name in [""] + os.listdir(state):
        st = os.lstat(os.path.join(state, name))
        check(st.st_uid == UID and st.st_mode & 0o022 == 0, "%s: of %d, mode %o", name or "the folder", st.st_uid, st.st_mode)


def low_ports_and_no_rights(place):
    server = make(place)
    server.add_user("alice", "wonder-land-1")       # root does it, and makes the state folder
    all_is_his(server)
    server.start()
    has_no_rights(server.process.pid)
    sip.Client(server).must(401, *sip.Client(server).register("alice", "sip:alice@127.0.0.1"))
    server.add_user("bob", "build-er-22")           # with the server there
    check(server.command("reload").returncode == 0, "reload")
    users = server.place.path("users.csv")          # root's, as the command is
    with open(os.open(users, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
        f.write("carol,christ-mas-333\n")
    r = server.command("user", "import", users)
    check(r.returncode == 0 and "imported 1 user" in r.stdout, "import: %s", r.stdout + r.stderr)
    r = server.command("user", "import", users + ".not")
    check(r.returncode == 1 and "No such file" in r.stderr, "import of nothing: %d %s", r.returncode, r.stderr)
    r = harness.tandem(place, "register", "--as", "bob@" + DOMAIN, "--password-env", "PW", "--once", "--proxy", "tls:" + server.tls_address,
                       "--tls-ca", server.certificate, env={"PW": "build-er-22"})
    check(r.returncode == 0, "register: %s", r.stderr)
    all_is_his(server)
    check("serve is root" not in server.process.errors(), "it warns for nothing")
    server.stop()
    server.start()
    check(len(server.registrations("bob")) == 1, "bob is gone")
    server.stop()


def the_next_one_binds_them_again(place):
    server = make(place, kind=Supervised)
    server.start()
    for n in range(2):
        pid = server.pid()
        has_no_rights(pid)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: server.readies() == n + 2, "it to be there again")
    server.stop()


def what_cannot_be(place):
    server = make(place, config="user: no-such-user\n")
    server.start(wait=False)
    check(server.process.wait() == 2 and "no user \"no-such-user\"" in server.process.errors(), "it says: %s", server.process.errors())
    roots = make(place, name="roots")
    os.mkdir(os.path.join(roots.folder, "state"), 0o700)
    roots.start(wait=False)
    check(roots.process.wait() == 2 and "chown -R %s" % USER in roots.process.errors(), "it says: %s", roots.process.errors())
    check(os.listdir(os.path.join(roots.folder, "state")) == [], "it made something in it")
    r = roots.command("user", "add", "alice")
    check(r.returncode == 2 and "chown" in r.stderr, "user add: %s", r.stderr)


def who_is_not_root(place):
    """may name himself, and nobody else"""
    os.chmod(place.folder, 0o711)
    server = Server(place, config="user: root\n", start=False)
    os.makedirs(os.path.join(server.folder, "state"), mode=0o700)
    os.chown(os.path.join(server.folder, "state"), UID, UID)
    argv = ["setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups", TANDEM, "serve", "--json", "-c", server.file] if ROOT else \
           [TANDEM, "serve", "--json", "-c", server.file]
    p = Process(place, "other", *argv)
    check(p.wait() == 2 and "only root can become" in p.errors(), "it says: %s", p.errors())
    if ROOT:
        server.configure(config="user: %s\n" % USER)
        p = Process(place, "himself", *argv)
        p.wait_event(event="ready")
        has_no_rights(p.pid)
        p.signal(signal.SIGTERM)
        check(p.wait() == 0, "it ended with %s", p.p.returncode)


def root_is_told(place):
    server = Server(place)
    check("serve is root" in server.process.errors(), "no word of it")
    server.stop()
    server.configure(config="user: root\n")
    server.start()
    check("serve is root" not in server.process.errors(), "it was meant")
    server.stop()


if __name__ == "__main__":
    if not ROOT:
        print("# without root: the others are left out")
        harness.run(who_is_not_root)
    else:
        harness.run(low_ports_and_no_rights, the_next_one_binds_them_again, what_cannot_be, who_is_not_root, root_is_told)
