#!/usr/bin/env python3
"""P14 over real sockets: each message of RFC 4475 and RFC 5118, by UDP and by TCP, from a trusted source and from a stranger. What each is
answered stands in the table of the scenario (tests/scenario/test_torture.c), which asks the same on the simulated wire."""
import os, random, re, socket, struct
import harness, sip
from harness import DOMAIN, HOST, TOP, Server, check

DATA = os.path.join(TOP, "tests", "data")
OURS = "  - {name: any.test, users: any}\n  - {name: example.com, users: any}\n"


def table():
    """file: (trusted by UDP, trusted by TCP, stranger); 0: nothing is said"""
    text = harness.read_file(os.path.join(TOP, "tests", "scenario", "test_torture.c"))
    rows = {m[0]: tuple(map(int, m[1:])) for m in re.findall(r'\{ "([\w.-]+)", (\d+), (\d+), (\d+) \}', text)}
    check(len(rows) == 50, "%d rows in the table", len(rows))
    return rows


def messages(rfc):
    for line in harness.read_file(os.path.join(DATA, rfc, "MANIFEST.tsv")).splitlines()[1:]:
        name = line.split("\t")[0]
        with open(os.path.join(DATA, rfc, name), "rb") as f:
            yield name, f.read()


def server_that(place, trusts):
    s = Server(place, "trusting" if trusts else "strict", users={"alice": "alice-secret-1"}, start=False, config="workers: 1\nregistrations: memory\n"
               + ("trust: [127.0.0.0/8]\n" if trusts else ""))
    text = harness.read_file(s.file).replace("listen:\n", OURS + "listen:\n")
    place.write(os.path.relpath(s.file, place.folder), text)
    return s


def serves(server):
    """the next one is served; and what came before it has been read, for the server has one worker"""
    c = sip.Client(server)
    for _ in range(2):
        c.must(200, *c.request("OPTIONS", "sip:" + DOMAIN, "sip:probe@" + DOMAIN, to="sip:" + DOMAIN))
    c.close()
    check(server.alive(), "the server ended")


def address_of_its_own():
    return "127.%d.%d.%d" % (random.randrange(1, 255), random.randrange(255), random.randrange(1, 255))


def last_status(data):
    """0: nothing came"""
    check(not data or data.startswith(b"SIP/2.0 "), "what came is no response: %r", data[:100])
    return int((re.findall(rb"^SIP/2\.0 (\d{3}) ", data, re.M) or [b"0"])[-1])


def read_now(s):
    s.setblocking(False)
    try:
        return s.recv(65536)
    except (BlockingIOError, ConnectionError):
        return b""


def by_udp(server, data):
    """from the port that its Via names, where the answer goes (RFC 3261 section 18.2.2)"""
    via = re.search(rb"^(?:via|v)\s*:\s*SIP\s*/\s*2\.0\s*/\s*\w+\s+[\w.-]+\s*:\s*(\d+)", data, re.I | re.M)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address_of_its_own(), int(via.group(1)) if via and 1024 <= int(via.group(1)) < 65536 else 5060))
    s.sendto(data, (HOST, server.port))
    serves(server)
    came = b""
    while more := read_now(s):
        came += more
    s.close()
    return last_status(came)


def by_tcp(server, data):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.bind((address_of_its_own(), 0))
    s.connect((HOST, server.port))
    s.sendall(data)
    serves(server)
    status = last_status(read_now(s))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    return status


def afresh(server, ask, data):
    """asked a server that has just started: some of the messages have the same branch"""
    server.start()
    status = ask(server, data)
    server.stop()
    return status


def p14_rfc4475(place):
    want, trusting, strict = table(), server_that(place, True), server_that(place, False)
    wrong = []
    for name, data in messages("rfc4475"):
        got = afresh(trusting, by_udp, data), afresh(trusting, by_tcp, data), afresh(strict, by_udp, data)
        if got != want[name]:
            wrong.append("%s: got %s, wanted %s" % (name, got, want[name]))
    check(not wrong, "%s", "; ".join(wrong))
    return "%d messages" % len(want)


def p14_rfc5118(place):
    """what each is answered matters less than that the server is there afterwards"""
    n = 0
    for server in (server_that(place, True), server_that(place, False)):
        for name, data in messages("rfc5118"):
            answers = afresh(server, by_udp, data), afresh(server, by_tcp, data)
            check(all(a == 0 or 200 <= a < 700 for a in answers), "%s: %s", name, answers)
            n += 1
    return "%d messages" % n


if __name__ == "__main__":
    harness.run(p14_rfc4475, p14_rfc5118)
