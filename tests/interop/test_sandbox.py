#!/usr/bin/env python3
"""What a server may do to the file system: `sandbox`, on and off, and on a kernel that has none. (What the kernel then refuses is in
tests/unit/confine; that a server lacks nothing is shown by all other tests here, which run with it.)"""
import os, sys
import harness, sip
from harness import DOMAIN, TANDEM, Process, Server, check, tandem

# Answers the system call that makes Landlock's rules with ENOSYS, as an old kernel does, and executes the rest of the arguments.
OLD_KERNEL = """
import ctypes, os, struct, sys
NUMBER, ALLOW, ERRNO_ENOSYS = 444, 0x7fff0000, 0x00050000 | 38
f = b"".join(struct.pack("HBBI", *i) for i in ((0x20, 0, 0, 0), (0x15, 0, 1, NUMBER), (0x06, 0, 0, ERRNO_ENOSYS), (0x06, 0, 0, ALLOW)))
class Program(ctypes.Structure):
    _fields_ = [("n", ctypes.c_ushort), ("filter", ctypes.c_char_p)]
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(Program(4, f)), 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


def serves(server):
    client = sip.Client(server)
    client.must(200, *client.register("alice", "sip:alice@127.0.0.1:%d" % client.port))
    check(server.command("reload").returncode == 0, "reload")
    check(len(server.registrations("alice")) == 1, "nobody is registered")


def confined_by_default(place):
    server = Server(place, trust="any", tls=True)
    log = server.process.errors()
    if "serve unconfined" in log:
        return "not by this kernel"
    check('serve confined writes="%s' % server.folder in log or "serve confined writes=%s" % server.folder in log, "it says: %s", log)
    serves(server)
    server.stop()
    server.start()
    check(len(server.registrations("alice")) == 1, "nobody is registered any more")
    server.stop()


def switched_off(place):
    server = Server(place, trust="any", config="sandbox: no\n")
    check("confined" not in server.process.errors(), "it says: %s", server.process.errors())
    serves(server)
    server.configure(trust="any", config="sandbox: yes\n")
    r = server.command("reload")
    check(r.returncode == 0 and "sandbox: changes at the next start" in r.stdout, "reload: %s", r.stdout)
    server.stop()


def a_kernel_without_it(place):
    server = Server(place, trust="any", start=False)
    server.process = Process(place, "old", sys.executable, "-c", OLD_KERNEL, TANDEM, "serve", "--json", "-c", server.file)
    server.process.wait_event(event="ready")
    log = server.process.errors()
    check("serve unconfined" in log and "this kernel has no Landlock" in log and "sandbox: no" in log, "it says: %s", log)
    serves(server)
    server.stop()


if __name__ == "__main__":
    harness.run(confined_by_default, switched_off, a_kernel_without_it)
