#!/usr/bin/env python3
"""The command line: what people and scripts type, what comes back, and the exit statuses (0 done; 1 usage; 2 configuration; 3 the
peer refused; 4 no answer; 5 our fault)."""
import json, os, re, signal, stat, time
import harness, sip
from harness import DOMAIN, HOST, TANDEM, Process, Server, check, read_file, tandem, wait_for

PASSWORD = "correct-horse-7"


def expect(r, status, pattern=None):
    """r ended with status, and said something like pattern"""
    said = r.stdout + r.stderr
    check(r.returncode == status, "%s: exit status %d, wanted %d; it said: %s", " ".join(map(str, r.args[1:])), r.returncode, status,
          said.strip()[-300:])
    check(pattern is None or re.search(pattern, said), "%s: it said \"%s\", wanted %s", " ".join(map(str, r.args[1:])), said.strip()[-300:],
          pattern)
    return r


def register(place, server, user="alice", password=PASSWORD, *more):
    return tandem(place, "register", *server.account(user), "--once", *more, env={"PW": password})


# ---- without a server ----

def it_explains_itself(place):
    r = expect(tandem(place), 0, r"tandem serve")
    check(len(r.stdout.splitlines()) <= 20, "the overview has %d lines", len(r.stdout.splitlines()))
    expect(tandem(place, "--version"), 0, r"^tandem \d")
    expect(tandem(place, "sevre"), 1, r"no command \"sevre\"")
    for command in re.findall(r"^  tandem (\w+)", r.stdout, re.M):
        expect(tandem(place, command, "--help"), 0, r"usage: tandem %s" % command)
        expect(tandem(place, command, "--no-such-option"), 1, r"--no-such-option")


def init_writes_a_file_once(place):
    expect(tandem(place, "init", "example.test"), 0)
    text = read_file(place.path("tandem.yaml"))
    check("example.test" in text, "tandem.yaml: %s", text)
    expect(tandem(place, "serve", "--check"), 0, r"tandem\.yaml: good")
    effective = expect(tandem(place, "serve", "--check", "--effective"), 0, r"(?m)^registrations: durable").stdout
    place.write("effective.yaml", effective)
    again = expect(tandem(place, "serve", "--check", "--effective", "-c", "effective.yaml"), 0).stdout
    check(again == effective, "what is effective is not a fixpoint")
    in_etc = "/etc/.." + place.path("etc/tandem.yaml")      # by its name there, and the folder is made
    expect(tandem(place, "init", "example.test", "-c", in_etc), 0)
    check("\nstate: /var/lib/tandem\n" in read_file(in_etc) and "\nstate: ./state\n" in text, "the state folder: %s", read_file(in_etc))
    expect(tandem(place, "init", "other.test"), 2)
    check(read_file(place.path("tandem.yaml")) == text, "the second init changed the file")
    expect(tandem(place, "init", "not a domain", "-c", "x.yaml"), 1)
    check(not os.path.exists(place.path("x.yaml")), "a file for a wrong domain")


def mistakes_in_the_file_are_shown(place):
    for text, pattern in (
            ("domains:\n  - name: example.test\nlisten:\n  - udp:10.0.0.300\n", r"bad\.yaml:4:\d+: .*10\.0\.0\.300"),
            ("domains:\n  - name: example.test\nlisten_on: []\n", r"bad\.yaml:3:\d+: .*listen_on"),
            ("domains:\n  - name: example.test\n    users: [\n", r"bad\.yaml:\d+:\d+: "),
            ("registrations: sometimes\n", r"bad\.yaml:1:\d+: .*sometimes.*durable")):
        path = place.write("bad.yaml", text)
        expect(tandem(place, "serve", "--check", "-c", path), 2, pattern)
        expect(tandem(place, "serve", "-c", path), 2, pattern)
        expect(tandem(place, "user", "list", "-c", path), 2, pattern)
    expect(tandem(place, "serve", "-c", place.path("none.yaml")), 2, r"none\.yaml")


def users_without_a_server(place):
    server = Server(place, start=False)
    r = expect(server.command("user", "add", "alice"), 0, r"added alice@example\.test")
    generated = re.search(r"password: (\S+)", r.stdout).group(1)
    check(len(generated) >= 16, "the password made is \"%s\"", generated)
    expect(server.command("user", "add", "alice"), 3, r"there already")
    expect(server.command("user", "add", "bob@example.test", "--extension", "101", "--password-stdin", stdin=PASSWORD + "\n"), 0)
    expect(server.command("user", "add", "carol", "--password-stdin", stdin="carol\n"), 1, r"weak")
    expect(server.command("user", "add", "carol", "--password-stdin", stdin=""), 1, r"no password")
    expect(server.command("user", "add", "carol@other.test"), 2, r"none of this server's domains")
    for text in ("no address", "eve:secret", "sips:eve@example.test", "eve@example.test:5060", "eve@example.test;lr", "@example.test"):
        expect(server.command("user", "add", text), 1, r"is no address")
    expect(server.command("user", "add", "carol", "--extension", "101"), 3, r"another user of example\.test has the extension 101")
    rows = server.lines("user", "list")
    check(rows == [{"user": "alice@example.test", "extension": ""}, {"user": "bob@example.test", "extension": "101"}], "list: %s", rows)
    expect(server.command("user", "remove", "alice"), 0)
    expect(server.command("user", "remove", "alice"), 3, r"no user")
    expect(server.command("user", "passwd", "alice"), 3, r"no user")
    place.write("users.csv", "".join("u%d,secret-%d\n" % (n, n) for n in range(3000)))
    expect(server.command("user", "import", place.path("users.csv")), 0, r"imported 3000")
    check(len(server.lines("user", "list")) == 3001, "%d users after the import", len(server.lines("user", "list")))
    place.write("bad.csv", "v1,secret-1\nv2,secret-2\nno password\nv3,secret-3\n")
    expect(server.command("user", "import", place.path("bad.csv")), 1, r"bad\.csv:3: want")
    check(len(server.lines("user", "list")) == 3003, "what stood before the bad line was not taken")
    expect(server.command("user", "import", place.folder), 1, r"directory")
    state = os.path.join(server.folder, "state")
    check(stat.S_IMODE(os.stat(state).st_mode) == 0o700, "the state folder's mode is %o", os.stat(state).st_mode)
    for name in os.listdir(state):
        data = open(os.path.join(state, name), "rb").read()
        for secret in (PASSWORD, generated, "secret-77"):
            check(secret.encode() not in data, "a password stands in %s", name)


def nobody_there(place):
    server = Server(place, start=False)
    for command in ("status", "registrations", "calls", "reload"):
        expect(server.command(command), 2, r"no server runs")
    expect(server.command("calls", "--ended"), 0, r"^0 calls$")
    r = tandem(place, "ping", "sip:%s" % server.address, "--proxy", "tcp:" + server.address, "--json")
    expect(r, 4, r"no answer")
    check([json.loads(l)["event"] for l in r.stdout.splitlines()] == ["no_answer"], "ping: %s", r.stdout)
    expect(tandem(place, "ping", "sip:no.such.host.invalid"), 4, r"no address")


# ---- with a server ----

def users_of_a_running_server(place):
    server = Server(place, users={"alice": PASSWORD})
    expect(register(place, server), 0, r"registered")
    expect(register(place, server, "bob"), 3, r"401")
    server.add_user("bob", PASSWORD)
    expect(register(place, server, "bob"), 0)
    expect(server.command("user", "passwd", "bob", "--password-stdin", stdin="another-one-8\n"), 0)
    expect(register(place, server, "bob"), 3)
    expect(register(place, server, "bob", "another-one-8"), 0)
    expect(server.command("user", "remove", "bob"), 0)
    expect(register(place, server, "bob", "another-one-8"), 3)
    server.stop()
    server.start()
    expect(register(place, server, "bob", "another-one-8"), 3)
    expect(register(place, server), 0)


def a_reload_takes_the_users_as_they_are(place):
    """Changes the server was not told of: it stood still when they were made. Extensions changed hands in between."""
    server = Server(place, users={"alice": PASSWORD, "bob": PASSWORD, "carol": PASSWORD})
    give = lambda user, digits: expect(server.command("user", "passwd", user, "--extension", digits, "--password-stdin",
                                                      stdin=PASSWORD + "\n"), 0)
    give("alice", "11")
    give("bob", "12")
    expect(register(place, server, "carol"), 0)
    sock = os.path.join(server.folder, "state", "control.sock")
    os.rename(sock, sock + ".away")
    give("alice", "13")
    give("bob", "11")
    give("alice", "12")
    expect(server.command("user", "remove", "carol"), 0)
    os.rename(sock + ".away", sock)
    expect(register(place, server, "carol"), 0)
    expect(server.command("reload"), 0)
    expect(register(place, server, "carol"), 3, r"40[13]")
    expect(register(place, server, "alice"), 0)
    check(server.lines("status")[0]["users"] == 2, "users: %s", server.lines("status")[0]["users"])


def a_goodbye_nobody_hears(place):
    """the server is gone: Ctrl-C ends within five seconds, a second one at once"""
    server = Server(place, users={"alice": PASSWORD})
    for times in (1, 2):
        p = Process(place, "gone-%d" % times, TANDEM, "register", *server.account("alice"), "--json", env={"PW": PASSWORD})
        p.wait_event(event="registered")
        server.process.signal(signal.SIGSTOP)
        p.signal(signal.SIGINT)
        if times == 2:
            p.signal(signal.SIGTERM)       # two of one kind are one when nobody has read the first
        check(p.wait(15) == 4 and p.events()[-1] == {"event": "interrupted"}, "it ended with %s: %s", p.p.returncode, p.output())
        server.process.signal(signal.SIGCONT)


def what_peers_write_is_shown_harmless(place):
    """no control characters on the terminal; JSON even of what is no UTF-8"""
    server = Server(place, users={"alice": PASSWORD, "bob": PASSWORD}, trust=True)
    sender = sip.Client(server)
    text = "red \x1b[31m\nsip:mallory@example.test: hello \udcff."
    for mode, want in ((["--json"], None), ([], "red \\x1b[31m\n    sip:mallory@example.test: hello \\xff.")):
        bob = Process(place, "bob%d" % len(mode), TANDEM, "answer", *server.account("bob"), *mode, env={"PW": PASSWORD})
        wait_for(lambda: server.registrations("bob"), "bob to register")
        _, data = sender.request("MESSAGE", "sip:bob@" + DOMAIN, "sip:alice@" + DOMAIN)
        body = text.encode(errors="surrogateescape")
        sender.send(data.replace(b"Content-Length: 0", b"Content-Type: text/plain\r\nContent-Length: %d" % len(body)) + body)
        if mode:
            check(bob.wait_event(event="message")["text"] == "red \x1b[31m\nsip:mallory@example.test: hello \ufffd.", "JSON: %s", bob.output())
        else:
            wait_for(lambda: want in bob.output(), "the message: " + repr(bob.output()))
        bob.signal(signal.SIGINT)
        check(bob.wait() == 0, "answer ended with %s", bob.p.returncode)


# Proves RFC 3261 §10.2.2-1.
def register_and_leave(place):
    server = Server(place, users={"alice": PASSWORD})
    for transport in ("udp", "tcp"):
        p = Process(place, "stay-" + transport, TANDEM, "register", *server.account("alice", transport), "--json", env={"PW": PASSWORD})
        check(p.wait_event(event="registered")["status"] == 200, "no 200")
        rows = server.registrations("alice")
        check(len(rows) == 1 and rows[0]["transport"].lower() == transport, "registrations: %s", rows)
        p.signal(signal.SIGTERM)
        check(p.wait() == 0, "it ended with %s", p.p.returncode)
        check(not server.registrations(), "the binding stayed: %s", server.registrations())
    expect(register(place, server, "alice", "wrong-password"), 3, r"40[13]")
    expect(tandem(place, "register", *server.account("alice"), "--once", env={"PW": ""}), 1, r"environment variable PW")
    expect(tandem(place, "register", "--once"), 1, r"--as")
    expect(tandem(place, "answer", *server.account("alice"), "--record", place.path("none/a.wav"), env={"PW": PASSWORD}), 1, r"--record .*No such file")
    expect(register(place, server, "alice", PASSWORD, "--contact", "sip:alice@127.0.0.1:9;transport=tcp", "--expires", "90"), 0)
    rows = server.registrations("alice@" + DOMAIN) or server.registrations("alice")
    check(rows[0]["contact"].startswith("sip:alice@127.0.0.1:9") and 80 <= rows[0]["expires"] <= 90, "registrations: %s", rows)


def what_the_server_tells(place):
    server = Server(place, users={"alice": PASSWORD})
    expect(register(place, server), 0)
    s = server.lines("status")[0]
    check(s["users"] == 1 and s["registrations"] == {"addresses": 1, "contacts": 1}, "status: %s", s)
    check(s["requests"]["register"] == 2 and s["authentication"] == {"challenged": 1, "accepted": 1, "refused": 0}, "status: %s", s)
    expect(server.command("status"), 0, r"(?m)^domain +example\.test$")
    expect(server.command("registrations"), 0, r"1 registered contact\b")
    expect(server.command("registrations", "alice"), 0, r"alice@example\.test")
    expect(server.command("registrations", "bob"), 0, r"^0 registered contacts")
    mode = stat.S_IMODE(os.stat(os.path.join(server.folder, "state", "control.sock")).st_mode)
    check(mode == 0o600, "the control socket's mode is %o", mode)


def calls_now_and_ended(place):
    server = Server(place, users={"alice": PASSWORD, "bob": PASSWORD})
    bob = Process(place, "bob", TANDEM, "answer", *server.account("bob"), "--keep", "--tone", 500, "--json", env={"PW": PASSWORD})
    bob.wait_event(event="registered")
    expect(server.command("calls"), 0, r"^0 calls$")
    alice = Process(place, "alice", TANDEM, "call", "bob@" + DOMAIN, *server.account("alice"), "--tone", 500, "--json", env={"PW": PASSWORD})
    alice.wait_event(event="answered")
    rows = server.lines("calls")
    check(len(rows) == 1 and rows[0]["state"] == "answered" and rows[0]["caller"] == "alice@" + DOMAIN and rows[0]["callee"] == "bob@" + DOMAIN
          and rows[0]["start_ms"] <= rows[0]["answer_ms"], "calls: %s", rows)
    check(server.lines("status")[0]["now"]["calls"] == 1, "status: %s", server.lines("status")[0]["now"])
    expect(server.command("calls"), 0, r"(?m)^answered +0:00:\d\d alice@example\.test +bob@example\.test +\S+\n1 call$")
    check(not server.lines("calls", "--ended"), "there are records of calls already")
    alice.signal(signal.SIGINT)
    alice.wait()
    ended = wait_for(lambda: server.lines("calls", "--ended"), "the record of the call")
    check(len(ended) == 1 and ended[0]["id"] == rows[0]["id"] and ended[0]["call_id"] == rows[0]["call_id"] and ended[0]["status"] == 200
          and ended[0]["ended_by"] == "caller" and ended[0]["answer_ms"] <= ended[0]["end_ms"], "calls --ended: %s", ended)
    check(abs(ended[0]["end_ms"] / 1000 - time.time()) < 60, "it ended at %s", ended[0]["end_ms"])
    expect(tandem(place, "call", "nobody@" + DOMAIN, *server.account("alice"), env={"PW": PASSWORD}), 3)
    second = Process(place, "again", TANDEM, "call", "bob@" + DOMAIN, *server.account("alice"), "--tone", 500, "--json", env={"PW": PASSWORD})
    second.wait_event(event="answered")
    server.stop()               # what is under way is recorded too, and records are read without a server
    expect(server.command("calls"), 2, r"no server runs")
    ended = server.lines("calls", "--ended")
    check([(c["ended_by"], c["status"]) for c in ended] == [("stop", 200), ("caller", 200)], "calls --ended: %s", ended)
    check(len(server.lines("calls", "--ended", "--last", "1")) == 1, "--last 1 shows more")
    expect(server.command("calls", "--ended"), 0,
           r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ +0:00:\d\d alice@example\.test +bob@example\.test +200 stop +\S+$(?s:.*)^2 calls$")
    expect(server.command("calls", "--last", "1"), 1, r"--ended")
    expect(server.command("calls", "now"), 1, r"too many arguments")


def reload_takes_good_and_refuses_bad(place):
    server = Server(place, users={"alice": PASSWORD})
    client = sip.Client(server)

    def asks():
        """does the server ask this machine for a password?"""
        return client.ask(*client.register("alice")).status == 401

    check(asks(), "nobody is trusted, and yet it does not ask")
    server.configure(trust=True)
    check(asks(), "a file that nobody reloaded took effect")
    expect(server.command("reload"), 0)
    check(not asks(), "the new file did not take effect")
    with open(server.file, "a") as f:
        f.write("log: loud\n")
    expect(server.command("reload"), 2, r"tandem\.yaml:\d+:\d+")
    check(not asks() and server.alive(), "a wrong file took effect")
    server.process.signal(signal.SIGHUP)
    wait_for(lambda: "refused" in server.process.errors(), "the refusal in the log")
    check(not asks(), "a wrong file took effect by SIGHUP")
    server.configure()
    server.process.signal(signal.SIGHUP)
    wait_for(asks, "SIGHUP to take the file")
    server.stop()


def stops_cleanly(place):
    server = Server(place, users={"alice": PASSWORD})
    expect(register(place, server), 0)
    second = place.run(TANDEM, "serve", "-c", server.file)
    expect(second, 2, r"a server runs already")
    with open(place.path("other.yaml"), "w") as f:
        f.write("listen:\n  - udp:%s\nstate: ./other\n" % server.address)
    expect(tandem(place, "serve", "-c", place.path("other.yaml")), 2, r"cannot listen on udp:%s" % re.escape(server.address))
    for number in (signal.SIGTERM, signal.SIGINT):
        server.process.signal(number)
        check(server.process.wait() == 0, "%s: it ended with %s", number.name, server.process.p.returncode)
        expect(server.command("status"), 2, r"no server runs")
        server.start()
        check(len(server.registrations("alice")) == 1, "after %s: %s", number.name, server.registrations())


def two_at_once(place):
    """Servers started in the same moment on one state folder: one of them serves, whatever the ports."""
    server = Server(place, users={"alice": PASSWORD}, start=False)
    files = [place.write("at-once-%d.yaml" % n, "listen:\n  - udp:%s:%d\nstate: %s/state\n" % (HOST, harness.free_port(), server.folder))
             for n in range(4)]
    started = [Process(place, "at-once-%d" % n, TANDEM, "serve", "--json", "-c", f) for n, f in enumerate(files)]
    wait_for(lambda: sum(p.p.poll() is not None for p in started) == 3, "three of four to give up")
    check([p.p.poll() for p in started if p.p.poll() is not None] == [2] * 3, "they ended with %s", [p.p.poll() for p in started])
    one = next(p for p in started if p.p.poll() is None)
    one.wait_event(event="ready")
    check(server.lines("status")[0]["users"] == 1, "the one left does not answer")


def ping(place):
    server = Server(place, users={"alice": PASSWORD})
    for transport in ("udp", "tcp"):
        r = expect(tandem(place, "ping", "sip:" + server.address, "--proxy", transport + ":" + server.address, "--json"), 0)
        e = json.loads(r.stdout)
        check(e["event"] == "answered" and e["status"] == 200 and 0 < e["ms"] < 10000, "ping: %s", e)
    expect(tandem(place, "ping", "sip:" + server.address), 0, r"^200 OK in [\d.]+ ms")
    start = time.monotonic()
    expect(tandem(place, "ping", "sip:%s:%d" % (HOST, harness.free_port())), 4, r"Connection refused")
    expect(tandem(place, "ping", "sip:[::1]:%d" % harness.free_port()), 4, r"Connection refused")
    check(time.monotonic() - start < 10, "that nobody listens took %.1f s to tell", time.monotonic() - start)
    expect(tandem(place, "ping", "alice@" + DOMAIN, "--proxy", "udp:" + server.address), 3, r"40[17]")
    expect(tandem(place, "ping", "alice@" + DOMAIN, *server.account("alice"), env={"PW": PASSWORD}), 3, r"480")


def message(place):
    server = Server(place, users={"alice": PASSWORD, "bob": PASSWORD})
    bob = sip.Client(server)
    contact = "sip:bob@%s:%d" % (HOST, bob.port)
    expect(register(place, server, "bob", PASSWORD, "--contact", contact), 0)
    text = "hello \u00fc, bob"
    p = Process(place, "message", TANDEM, "message", "bob@" + DOMAIN, text, *server.account("alice"), "--json", env={"PW": PASSWORD})
    bob.socket.settimeout(10)
    data, source = bob.socket.recvfrom(65536)
    head, _, body = data.decode().partition("\r\n\r\n")
    check(head.startswith("MESSAGE " + contact) and body == text, "bob got %s", data)
    check("Proxy-Authorization" not in head, "the proxy handed the credentials on")
    copied = [l for l in head.split("\r\n") if re.match(r"(?i)(via|from|to|call-id|cseq):", l)]
    bob.socket.sendto(("\r\n".join(["SIP/2.0 200 OK"] + copied + ["Content-Length: 0"]) + "\r\n\r\n").encode(), source)
    check(p.wait() == 0 and p.events()[-1]["event"] == "delivered", "message ended with %s: %s", p.p.returncode, p.output())
    expect(tandem(place, "message", "nobody@" + DOMAIN, "hi", *server.account("alice"), env={"PW": PASSWORD}), 3)
    expect(tandem(place, "message", "bob@" + DOMAIN, "hi", *server.account("alice"), env={"PW": "wrong-password"}), 3, r"407")
    expect(tandem(place, "message", "bob@elsewhere.test", "hi", *server.account("alice"), env={"PW": PASSWORD}), 3)
    expect(tandem(place, "message", "bob@" + DOMAIN, *server.account("alice"), env={"PW": PASSWORD}), 1)


if __name__ == "__main__":
    harness.run(it_explains_itself, init_writes_a_file_once, mistakes_in_the_file_are_shown, users_without_a_server, nobody_there,
                users_of_a_running_server, a_reload_takes_the_users_as_they_are, a_goodbye_nobody_hears, what_peers_write_is_shown_harmless,
                register_and_leave, what_the_server_tells, calls_now_and_ended, reload_takes_good_and_refuses_bad, stops_cleanly,
                two_at_once, ping, message)
