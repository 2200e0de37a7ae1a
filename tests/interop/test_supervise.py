#!/usr/bin/env python3
"""tandem serve --supervise: a server that dies or stands still is started again, with its registrations, and calls that ran go on."""
import json, os, re, signal, socket, time
import harness, sip, tone
from harness import DOMAIN, HOST, TANDEM, Baresip, Failure, Process, Server, check, read_file, wait_for
from test_service import Manager


class Supervised(Server):
    def start(self, wait=True, env=None):
        self.starts = getattr(self, "starts", 0) + 1
        self.process = Process(self.place, "%s%d" % (self.name, self.starts), TANDEM, "serve", "--supervise", "--json", "-c", self.file, env=env)
        if wait:
            self.ready = self.process.wait_event(event="ready")
        return self

    def pid(self):
        """of the server, not of its supervisor"""
        def probe():
            r = self.command("status", "--json")
            return r.returncode == 0 and json.loads(r.stdout)["pid"]
        return wait_for(probe, "the server to tell its status")

    def log(self):
        return self.process.errors()

    def readies(self):
        return len([e for e in self.process.events() if e["event"] == "ready"])

    def kill_server(self):
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        return pid


def is_there(pid):
    return os.path.exists("/proc/%d" % pid)


def answers_within(server, client, seconds):
    """how long it takes until OPTIONS is answered"""
    start, uri = time.monotonic(), "sip:%s" % server.address
    r = client.ask(*client.request("OPTIONS", uri, "sip:probe@" + DOMAIN, to=uri), seconds=20, again=0.01)
    took = time.monotonic() - start
    check(r and r.status == 200, "no answer to OPTIONS")
    check(took < seconds, "it answered after %.2f s", took)
    return took


def calls_outlive_the_server(place):
    """must-show 6 of issue 4: kill -9, served again within a second; who is registered is reached, and a call that ran is hung up by both
    ends, though neither its phones nor anybody else told the new server of it"""
    server = Supervised(place, users={"alice": "wonder-land-1", "bob": "build-er-22"})
    tone.make(place.path("tone.wav"), 440, 30)
    alice = Baresip(place, "alice", "wonder-land-1", server, place.path("tone.wav"))
    bob = Baresip(place, "bob", "build-er-22", server, place.path("tone.wav"), answer="auto")
    alice.wait_registered()
    bob.wait_registered()
    client = sip.Client(server)
    took = []
    for by, other in ((alice, bob), (bob, alice)):
        before = {(r["aor"], r["contact"]) for r in server.registrations()}
        alice.dial("bob")
        alice.wait_event("CALL_ESTABLISHED")
        bob.wait_event("CALL_ESTABLISHED")
        killed = server.kill_server()
        took.append(answers_within(server, client, 1))
        check(server.pid() != killed, "it is the same process")
        check({(r["aor"], r["contact"]) for r in server.registrations()} == before, "registrations: %s", server.registrations())
        by.command("hangup")
        other.wait_event("CALL_CLOSED")
        by.wait_event("CALL_CLOSED")
    alice.dial("bob")                   # and a new one to who registered two servers ago
    bob.wait_event("CALL_ESTABLISHED")
    alice.command("hangup")
    bob.wait_event("CALL_CLOSED")
    server.stop()
    return "served again after %s ms" % ", ".join("%.0f" % (t * 1000) for t in took)


def again_and_again(place):
    """it is started at once, then after longer and longer times, and says each time why"""
    server = Supervised(place)
    for n in range(4):
        wait_for(lambda: server.readies() == n + 1, "start number %d" % (n + 1))
        server.kill_server()
    wait_for(lambda: server.readies() == 5, "the last start")
    log = server.log()
    check(log.count("killed by signal 9 (Killed)") == 4, "it says: %s", log)
    check(re.findall(r'next="it is started again(?: in ([\d.]+) s)?"', log) == ["", "0.1", "0.2", "0.4"], "it waits otherwise: %s", log)
    server.stop()


def one_that_stands_still(place):
    server = Supervised(place)
    stopped = server.pid()
    os.kill(stopped, signal.SIGSTOP)
    wait_for(lambda: server.readies() == 2, "another one", 40)
    check("it stood still, and was killed" in server.log(), "it says: %s", server.log())
    check(server.pid() != stopped and not is_there(stopped), "the old one is there")
    server.stop()


def state_of(pid):
    return read_file("/proc/%d/stat" % pid).rsplit(") ", 1)[1][0]


def both_stood_still(place):
    """as in a container that is paused: a server that has had no time to say anything is not killed for that"""
    server = Supervised(place)
    pid, supervisor = server.pid(), server.process.pid
    os.kill(pid, signal.SIGSTOP)        # first, so that the supervisor has heard all it said
    wait_for(lambda: state_of(pid) == "T" and state_of(supervisor) == "S", "the server to stand still")
    os.kill(supervisor, signal.SIGSTOP)
    began = time.monotonic()
    wait_for(lambda: time.monotonic() - began > 11, "more time than a server may stand still", 20)
    os.kill(supervisor, signal.SIGCONT)
    wait_for(lambda: state_of(supervisor) == "S", "the supervisor to go on")
    os.kill(pid, signal.SIGCONT)
    check(server.pid() == pid, "it is another server")
    check("stood still" not in server.log() and server.readies() == 1, "it says: %s", server.log())
    server.stop()


def nobody_reads_the_log(place):
    """serve --supervise 2>&1 | tee log, and tee is gone"""
    server = Supervised(place, start=False)
    reader, writer = os.pipe()
    server.process = Process(place, "unread", "sh", "-c", 'exec "$0" "$@" 2>&%d' % writer, TANDEM, "serve", "--supervise", "--json",
                             "-c", server.file, pass_fds=(writer,))
    os.close(writer)
    server.process.wait_event(event="ready")
    os.close(reader)
    for n in range(2):
        killed = server.kill_server()
        wait_for(lambda: server.readies() == n + 2, "the server to be there again")
        check(server.pid() != killed, "it is the same process")
    server.stop()


def signals_and_statuses(place):
    server = Supervised(place)
    pid, first = server.pid(), server.process.pid
    server.process.signal(signal.SIGHUP)
    wait_for(lambda: "serve reloaded" in server.log(), "the reload")
    server.stop()                       # SIGTERM: 0
    check(not is_there(pid), "the server outlives its supervisor")
    server.start()
    server.process.signal(signal.SIGINT)
    check(server.process.wait() == 0, "SIGINT: %s", server.process.p.returncode)
    server.start()
    check(server.command("drain", "--wait").returncode == 0 and server.process.wait() == 0, "a drained server is started again")
    server.start()
    pid = server.pid()
    os.kill(pid, signal.SIGTERM)        # told to stop by name: that is meant
    check(server.process.wait() == 0, "its end was meant: %s", server.process.p.returncode)
    server.start()
    pid = server.pid()
    server.process.kill()               # the supervisor: nobody is left behind
    wait_for(lambda: not is_there(pid) or read_file("/proc/%d/stat" % pid).split(") ")[1][0] == "Z", "the server to follow")
    check("its supervisor is gone" in server.log(), "it says: %s", server.log())


def a_first_start_that_fails(place):
    """is not tried again: whoever typed it reads why"""
    server = Supervised(place)
    second = Supervised(place, name="second", port=server.port, start=False)
    second.start(wait=False)
    check(second.process.wait() == 2 and "Address already in use" in second.log() or "is another server" in second.log(), "it says: %s", second.log())
    with open(second.file, "a") as f:
        f.write("log: loudly\n")
    second.start(wait=False)
    check(second.process.wait() == 2 and "loudly" in second.log(), "it says: %s", second.log())
    with open(server.file, "a") as f:   # one that served is tried again: it may be mended meanwhile
        f.write("log: loudly\n")
    os.kill(status_of(server)["pid"], signal.SIGKILL)
    wait_for(lambda: server.log().count("it ended with 2") >= 2, "two attempts")
    text = read_file(server.file)
    with open(server.file, "w") as f:
        f.write(text.replace("log: loudly\n", ""))
    wait_for(lambda: server.readies() == 2, "it to serve again")
    server.stop()


def status_of(server):
    """asked as a program does: with a wrong file the command says that"""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(os.path.join(server.folder, "state", "control.sock"))
        s.sendall(b'{"cmd":"status"}\n')
        return json.loads(s.makefile().readline())


def systemd_hears_the_supervisor(place):
    m = Manager(place)
    server = Supervised(place, start=False)
    server.start(env=m.env(watchdog_s=0.6))
    check(m.next() == ["READY=1", "STATUS=serving"], "the first word is another")
    check(m.next() == ["WATCHDOG=1"] and m.next() == ["WATCHDOG=1"], "the watchdog is not fed")
    server.kill_server()
    m.until("STATUS=the server died and is started again")
    m.until("READY=1")
    m.until("WATCHDOG=1")
    server.stop()
    m.until("STOPPING=1")


if __name__ == "__main__":
    harness.run(calls_outlive_the_server, again_and_again, one_that_stands_still, both_stood_still, nobody_reads_the_log,
                signals_and_statuses, a_first_start_that_fails, systemd_hears_the_supervisor)
