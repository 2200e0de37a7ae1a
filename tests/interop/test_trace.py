#!/usr/bin/env python3
"""`tandem trace`: the ladder, filters, JSON, files that tshark reads, readers that do not read; and that nothing secret leaves (X5)."""
import os, re, signal, socket, subprocess
import harness, sip
from harness import DOMAIN, HOST, TANDEM, Process, Server, answering, check, free_port, read_file, tandem, wait_for

USERS = {"alice": "alice-secret-1", "bob": "bob-secret-2"}


def call(place, server, whom="bob"):
    return tandem(place, "call", "%s@%s" % (whom, DOMAIN), *server.account("alice"), "--tone", 440, "--duration", 1,
                  env={"PW": USERS["alice"]})


def watch(place, server, name, *more):
    """a `tandem trace` that is watching: what comes from now on is seen"""
    p = Process(place, name, TANDEM, "trace", "--json", "-c", server.file, *more)
    p.wait_event(kind="watching")
    return p


def ladder(place):
    server = Server(place, users=USERS, config="workers: 2\n")
    bob, live = answering(place, server, "bob"), watch(place, server, "live", "alice")
    check(call(place, server).returncode == 0 and bob.wait() == 0, "the call")
    live.wait_event(kind="out", method="BYE", status=200)
    drawn = server.command("trace", "--past", "alice").stdout
    want = [r"\d +%s:\d+ --INVITE sip:bob@example\.te-->\|" % HOST, r"\* asked for a password", r"<-407 Proxy Authentication",
            r"\* known by the password: alice@example\.test", r"<-100 Trying", r"\|--INVITE sip:bob@.*-> %s:\d+" % HOST, r"\|<-180 Ringing-",
            r"<-180 Ringing-+\|", r"\|<-200 OK-", r"--BYE ", r"\|<-200 OK-"]
    at = 0
    for pattern in want:
        m = re.search(pattern, drawn[at:])
        check(m, "no \"%s\" behind:\n%s\nin:\n%s", pattern, drawn[:at][-300:], drawn)
        at += m.end()
    check("REGISTER" not in drawn, "bob's registration is none of alice's: %s", drawn)
    seen = [e for e in live.events() if e["kind"] in ("in", "out")]
    check(all(e["message"].startswith(("SIP/2.0 ", e["method"] + " ")) for e in seen), "messages: %s", seen[:3])
    check([e["us"] for e in seen] == sorted(e["us"] for e in seen), "they are not in the order of time")
    check({e["from"] for e in seen} == {"alice@" + DOMAIN}, "from: %s", {e["from"] for e in seen})


def filters(place):
    server = Server(place, users=USERS)
    call(place, server)
    call(place, server, "dave")
    past = server.lines("trace", "--past")
    ids = {e["call_id"] for e in past if e.get("method") == "INVITE"}
    [gone] = {e["call_id"] for e in past if e.get("status") == 404}
    check(len(ids) == 2, "calls: %s", ids)
    for words, want in ((["dave"], {gone}), (["dave@" + DOMAIN], {gone}), (["404"], {gone}), (["48x"], ids - {gone}), (["4xx"], ids),
                        ([gone], {gone}), (["alice", "404"], {gone}), (["invite"], ids), (["bob", "404"], set()), (["203.0.113.1"], set()),
                        (["nobody"], set())):
        got = {e["call_id"] for e in server.lines("trace", "--past", *words) if e["kind"] == "out"}
        check(got == want, "%s: %s, wanted %s", words, got, want)
    check(server.command("trace", "--past", *["x"] * 17).returncode != 0, "17 words")


def tshark_reads_it(place):
    server = Server(place, users=USERS, config="workers: 2\n", hosts=(HOST, "[::1]"))
    bob = answering(place, server, "bob")
    path = place.path("live.pcapng")
    live = Process(place, "live", TANDEM, "trace", "--save", path, "-c", server.file)
    ready = watch(place, server, "ready")                     # of two that watch the later one
    check(call(place, server).returncode == 0 and bob.wait() == 0, "the call")
    v6 = sip.socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    v6.bind(("::1", 0))
    v6.sendto(("OPTIONS sip:[::1] SIP/2.0\r\nVia: SIP/2.0/UDP [::1]:%d;branch=z9hG4bK6;rport\r\nFrom: <sip:six@[::1]>;tag=6\r\n"
               "To: <sip:[::1]>\r\nCall-ID: six\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n" % v6.getsockname()[1]).encode(),
              ("::1", server.port))
    ready.wait_event(kind="out", method="OPTIONS")
    wait_for(lambda: b"OPTIONS sip:" in open(path, "rb").read(), "the file to have all of it")  # an Allow field names it as well
    live.signal(signal.SIGINT)
    live.wait()
    for path in (path, place.path("past.pcapng")):
        if not os.path.exists(path):
            r = server.command("trace", "--past", "--save", path)
            check(r.returncode == 0 and re.search(r"^\d+ messages saved", r.stdout), "save: %s%s", r.stdout, r.stderr)
        r = subprocess.run(["tshark", "-r", path, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-T", "fields", "-e", "sip.Method",
                            "-e", "sip.Status-Code", "-e", "frame.comment", "-e", "_ws.malformed", "-e", "ip.checksum.status",
                            "-e", "udp.checksum.status"], capture_output=True, text=True)
        rows = [l.split("\t") for l in r.stdout.splitlines()]
        check(rows and all(row[0] or row[1] for row in rows), "tshark found no SIP in some of it: %s %s", r.stdout, r.stderr)
        check(all(row[2] == "UDP" and not row[3] and row[4] in ("1", "") and row[5] == "1" for row in rows), "rows: %s", rows)
        for method in ("INVITE", "ACK", "BYE", "OPTIONS"):
            check(any(row[0] == method for row in rows), "no %s: %s", method, rows)
        check({"100", "180", "200", "407"} <= {row[1] for row in rows}, "answers: %s", rows)


def a_reader_that_does_not_read(place):
    """it misses what comes, and is told so; nobody else notices"""
    server = Server(place, users=USERS, trust=True)
    lazy = socket.socket(socket.AF_UNIX)
    lazy.connect(os.path.join(server.folder, "state", "control.sock"))
    lazy.sendall(b'{"cmd":"trace","text":true,"bytes":true}\n')
    check(b"watching" in lazy.recv(100), "it does not watch")
    client = sip.Client(server)
    padding = "X-Padding: " + "p" * 8000
    before = int(re.search(r"VmRSS:\s+(\d+)", read_file("/proc/%d/status" % server.process.pid)).group(1))
    for burst in range(40):                                   # 40 times a quarter of a ring: 10 MB, 30 as JSON
        for _ in range(32):
            client.send(client.request("OPTIONS", "sip:" + DOMAIN, "sip:x@" + DOMAIN, extra=[padding])[1])
        wait_for(lambda: server.lines("status")[0]["requests"]["options"] >= (burst + 1) * 32 * 0.5, "the server to follow")
    after = int(re.search(r"VmRSS:\s+(\d+)", read_file("/proc/%d/status" % server.process.pid)).group(1))
    check(after - before < 24 << 10, "it grew by %d KB", after - before)
    lazy.settimeout(harness.PATIENCE)
    text = b""
    while b'"missed"' not in text and b'"lost"' not in text:
        text = text[-100:] + lazy.recv(1 << 16)
        client.send(client.request("OPTIONS", "sip:" + DOMAIN, "sip:x@" + DOMAIN)[1])
    lazy.close()
    server.stop()


def hep_to_a_collector(place):
    """sngrep takes the packets for what they are, and tshark what sngrep saved; a reload moves them elsewhere, and ends them"""
    port, second = free_port(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    second.bind((HOST, 0))
    second.settimeout(harness.PATIENCE)
    saved = place.path("collected.pcap")
    collector = Process(place, "sngrep", "sngrep", "-F", "-N", "-q", "-L", "udp:%s:%d" % (HOST, port), "-O", saved)
    wait_for(lambda: harness.is_bound(port, "udp"), "sngrep to listen")
    server = Server(place, users=USERS, config="trace: {hep: \"udp:%s:%d\"}\n" % (HOST, port))
    call(place, server)
    n = len([e for e in server.lines("trace", "--past") if e["kind"] != "note"])
    wait_for(lambda: server.lines("status")[0]["hep"]["sent"] >= n, "%d messages to be sent" % n)
    wait_for(lambda: b"SIP/2.0 480" in open(saved, "rb").read(), "sngrep to have all of it")
    collector.stop()
    r = subprocess.run(["tshark", "-r", saved, "-T", "fields", "-e", "ip.src", "-e", "udp.dstport", "-e", "sip.Method", "-e", "sip.Status-Code"],
                       capture_output=True, text=True)
    rows = [l.split("\t") for l in r.stdout.splitlines()]
    check(len(rows) == n and all(row[0] == HOST for row in rows), "wanted %d, tshark says: %s %s", n, r.stdout, r.stderr)
    check(all(row[1] == str(server.port) for row in rows if row[2]), "requests went elsewhere: %s", rows)
    check({"INVITE", "ACK"} == {row[2] for row in rows} - {""} and {"407", "100", "480"} == {row[3] for row in rows} - {""}, "rows: %s", rows)
    server.configure(config="trace: {hep: \"udp:%s:%d\"}\n" % second.getsockname())
    check(server.command("reload").returncode == 0, "reload")
    call(place, server)
    check(second.recv(65536).startswith(b"HEP3"), "nothing after the reload")
    server.configure()
    check(server.command("reload").returncode == 0, "reload")
    check("hep" not in server.lines("status")[0], "it still exports")
    server.stop()


SECRETS = ["s3cr3t-uri", "c4ypt0-k3y", "b0dy-passw0rd", "1ce-passw0rd", "9137", "deadbeefdeadbeef"]


def x5_nothing_secret_leaves(place):
    server = Server(place, users=USERS, trust="any", config="log: debug\n")
    live, client = watch(place, server, "live"), sip.Client(server)
    bodies = [("application/sdp", "v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c4ypt0-k3y|2^20\r\na=ice-pwd:1ce-passw0rd\r\n"),
              ("application/dtmf-relay", "Signal=9137\r\nDuration=100\r\n"), ("text/plain", "the password: b0dy-passw0rd")]
    for i, (kind, body) in enumerate(bodies):
        for method in ("MESSAGE", "INFO", "INVITE"):
            client.send(client.request(method, "sip:bob:s3cr3t-uri@" + DOMAIN, "sip:alice:s3cr3t-uri@" + DOMAIN, extra=[
                "Authorization: Digest username=\"alice\", realm=\"x\", nonce=\"n\", uri=\"u\", response=\"deadbeefdeadbeef\"",
                "Content-Type: " + kind, "Subject: \x1b[31mred\x1b[0m"], body=body, call_id="x5-%s-%d" % (method, i))[1])
    wait_for(lambda: sum(e["kind"] == "in" for e in live.events()) == 9, "nine requests")
    server.command("trace", "--past", "--save", place.path("x5.pcapng"))
    shown = {"json": server.command("trace", "--past", "--json").stdout, "ladder": server.command("trace", "--past").stdout,
             "live": live.output(), "file": open(place.path("x5.pcapng"), "rb").read().decode("latin-1"),
             "log": server.process.errors(), "calls": server.command("calls", "--ended").stdout,
             "why": "".join(server.command("why", "x5-%s-%d" % (m, i), *j).stdout for m in ("MESSAGE", "INFO", "INVITE") for i in range(3)
                            for j in ([], ["--json"]))}
    check(shown["why"].count("x5-") >= 18, "stories: %s", shown["why"])
    check("x5-INFO-2" in shown["json"] and "Duration=xxx" in shown["file"], "the messages are not shown: %s", shown["json"][:500])
    for where, text in shown.items():
        for secret in SECRETS:
            check(secret not in text, "%s shows %s", where, secret)
        check("\x1b" not in text or where == "file", "%s paints the terminal", where)


if __name__ == "__main__":
    harness.run(ladder, filters, tshark_reads_it, a_reader_that_does_not_read, hep_to_a_collector, x5_nothing_secret_leaves)
