#!/usr/bin/env python3
"""Calls between two domains whose records are in a real name server (Debian's knot): NAPTR, SRV, addresses, targets that fail, one that is
killed while a call to it is being set up, and name servers that are dead, silent or lie.
"""
import json, os, signal, socket, subprocess, threading
import harness
from harness import HOST, TANDEM, Process, Server, answering, calling, check, free_port, tandem, wait_for

ALICE, BOB = {"alice": "alice-secret-1"}, {"bob": "bob-secret-2"}

KNOT = """\
server:
  rundir: %(folder)s
  listen: 127.0.0.1@%(port)d
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: %(folder)s
log:
- target: stderr
  any: info
zone:
- domain: test.
  file: %(zone)s
  journal-content: none
  zonefile-sync: -1
"""

ZONE = """\
$ORIGIN test.
$TTL 60
@ SOA ns.test. admin.test. 1 3600 600 86400 5
@ NS ns.test.
ns A 127.0.0.1
"""


class NameServer:
    """knot, with these records in its zone "test." """

    def __init__(self, place, records):
        folder = place.path("knot")
        os.mkdir(folder)
        self.port = free_port()
        zone = place.write("test.zone", ZONE + records)
        config = place.write("knot.conf", KNOT % {"folder": folder, "port": self.port, "zone": zone})
        self.process = Process(place, "knotd", "knotd", "-c", config)
        wait_for(self.answers, "knot to answer")

    def answers(self):
        check(self.process.p.poll() is None, "knot ended: %s%s", self.process.output(), self.process.errors())
        r = subprocess.run(["kdig", "@127.0.0.1", "-p", str(self.port), "test.", "SOA", "+short", "+time=1", "+retry=0"], capture_output=True, text=True)
        return "admin.test" in r.stdout

    @property
    def address(self):
        return "%s:%d" % (HOST, self.port)


def records(first, second, transports="UT"):
    """two.test at two servers; transports: what its NAPTR records offer, the most wanted first"""
    text = ""
    for i, t in enumerate(transports):
        text += 'two NAPTR %d 10 "s" "SIP+D2%s" "" _sip._%s.two\n' % (10 * i + 10, t, {"U": "udp", "T": "tcp"}[t])
    for t in ("udp", "tcp"):
        text += "_sip._%s.two SRV 10 5 %d b1.two\n_sip._%s.two SRV 20 5 %d b2.two\n" % (t, first, t, second)
    return text + "b1.two A 127.0.0.1\nb2.two A 127.0.0.1\n"


def relay(dns, more=""):
    return "relay: users\nproxy: {failover: 1s}\ndns: {servers: [%s]%s}\nlog: debug\n" % (", ".join('"%s"' % a for a in dns), more)


def domain_two(place, name, port):
    return Server(place, name, users=BOB, trust=True, domain="two.test", port=port, config="log: debug\n")


def answer(place, server, name):
    return answering(place, server, "bob", "--tone", 700, name=name)


def call(place, server, name="alice", seconds=1):
    return calling(place, server, "alice", "bob@two.test", "--tone", 440, "--duration", seconds, name=name)


def events(process):
    return [e["event"] for e in process.events()]


def went_well(caller, callee, seconds=30):
    check(caller.wait(seconds) == 0, "%s: %s%s", caller.name, caller.output()[-500:], caller.errors()[-500:])
    for p, by in ((caller, "us"), (callee, "peer")):
        e = p.wait_event(event="ended")
        check(e["by"] == by and e["received"] > 10, "%s: %s", p.name, e)
    check(events(callee).count("incoming") == 1, "%s was called: %s", callee.name, events(callee))


# Proves RFC 3263 §4.1-3.
def a_call_between_domains(place):
    """by UDP and by TCP, as the first NAPTR record says, to the first server"""
    for transports in ("UT", "TU"):
        ports = free_port(), free_port()
        place2 = harness.Place("domains")
        try:
            dns = NameServer(place2, records(*ports, transports))
            one = Server(place2, "one", users=ALICE, domain="one.test", config=relay([dns.address]))
            two = domain_two(place2, "two", ports[0])
            bob = answer(place2, two, "bob")
            went_well(call(place2, one), bob)
            counts = one.lines("status")[0]["dns"]
            check(counts["asked"] >= counts["questions"] > 0 and counts["strange"] == 0, "the first server counts %s", counts)
            said = two.lines("status")[0]
            check(said["calls"] == {"answered": 1, "failed": 0}, "the second server counts %s", said["calls"])
            came_by = [e["transport"] for e in two.lines("trace", "--past") if e["kind"] == "in" and e.get("method") == "INVITE" and not e.get("status")]
            check(came_by == [{"U": "UDP", "T": "TCP"}[transports[0]]], "the INVITE came by %s", came_by)
            one.stop()
            two.stop()
        except Exception:
            print(place2.logs())
            raise
        finally:
            place2.close()


def killed(place, transports):
    """The first server has the INVITE and has not answered yet, when it is killed: the second one gets the call, in the same transaction of the
    caller's."""
    ports = free_port(), free_port()
    dns = NameServer(place, records(*ports, transports))
    one = Server(place, "one", users=ALICE, domain="one.test", config=relay([dns.address]))
    first, second = domain_two(place, "first", ports[0]), domain_two(place, "second", ports[1])
    bob = answer(place, second, "bob")
    first.process.signal(signal.SIGSTOP)        # so that it is certain to be in the middle of it
    alice = call(place, one)
    wait_for(lambda: one.lines("status")[0]["now"]["client_transactions"],
             "the INVITE to be on its way")
    first.kill()
    went_well(alice, bob)
    check(events(alice).count("calling") == 1, "the caller tried: %s", events(alice))
    said = one.lines("status")[0]
    check(said["calls"] == {"answered": 1, "failed": 0}, "the first domain's server counts %s", said["calls"])
    check("proxy failover" in one.process.errors(), "no failover in the log")
    # who comes next does not wait for the dead one
    went_well(call(place, one, "alice2"), answer(place, second, "bob2") if bob.p.poll() is not None else bob, 10)
    one.stop()
    second.stop()


# Proves RFC 3263 §4.3-1.
def killed_in_mid_setup_over_udp(place):
    killed(place, "U")


# Proves RFC 3263 §4.3-1.
def killed_in_mid_setup_over_tcp(place):
    killed(place, "T")


# Proves RFC 3263 §4.2-2.
def two_families(place):
    """IPv6 first, where both are; and IPv4 when nobody answers there"""
    port = free_port()
    dns = NameServer(place, records(port, free_port(), "U") + "b1.two AAAA ::1\n")
    both = ("127.0.0.1", "[::1]")
    one = Server(place, "one", users=ALICE, domain="one.test", config=relay([dns.address]), hosts=both)
    for host, seconds in (("[::1]", 10), ("127.0.0.1", 20)):
        two = Server(place, "two" + host[0], users=BOB, domain="two.test", port=port, hosts=(host,),
                     config="trust: [127.0.0.1/32, \"::1/128\"]\n")
        r = tandem(place, "message", "bob@two.test", "hello", *one.account("alice"), "--json", env={"PW": ALICE["alice"]}, seconds=seconds)
        check("480" in r.stdout, "%s: %d %s%s", host, r.returncode, r.stdout, r.stderr)     # it got there; bob is not in
        two.stop()
    one.stop()


class Liar(threading.Thread):
    """answers every question at once: with wrong ids, with another question, and with an address of its own"""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.port, self.asked = self.socket.getsockname()[1], 0
        self.start()

    def run(self):
        while True:
            try:
                data, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            self.asked += 1
            end = data.index(b"\0", 12) + 5
            record = b"\xc0\x0c" + data[end - 4:end - 2] + b"\0\1\0\0\0\x3c\0\4\x7f\0\0\x63"
            for i in range(3):
                wrong = bytes([data[0] ^ (i + 1)]) + data[1:2]
                self.socket.sendto(wrong + b"\x81\x80\0\1\0\1\0\0\0\0" + data[12:end] + record, peer)
            self.socket.sendto(data[:2] + b"\x81\x80\0\1\0\1\0\0\0\0\4evil\4test\0\0\1\0\1" + record, peer)


def name_servers_that_fail(place):
    """one where nobody listens, one that is silent, one that lies: the last one of the list is right"""
    ports = free_port(), free_port()
    dns = NameServer(place, records(*ports))
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind((HOST, 0))
    liar = Liar()
    servers = ["%s:%d" % (HOST, p) for p in (free_port(), silent.getsockname()[1], liar.port)] + [dns.address]
    one = Server(place, "one", users=ALICE, domain="one.test", config=relay(servers, ", timeout: 10s"))
    two = domain_two(place, "two", ports[0])
    bob = answer(place, two, "bob")
    went_well(call(place, one), bob, 40)
    check(liar.asked, "the liar was not asked")
    one.stop()
    two.stop()


def refused(place, server, whom, status):
    r = tandem(place, "call", whom, *server.account("alice"), "--json", env={"PW": ALICE["alice"]})
    check(r.returncode == 3 and str(status) in r.stdout, "%s: %d %s%s", whom, r.returncode, r.stdout, r.stderr)


# Proves RFC 3263 §2782-2.
def names_that_lead_nowhere(place):
    dns = NameServer(place, records(free_port(), free_port()) + "_sip._udp.none SRV 0 0 0 .\n"
                     "loop CNAME loop2\nloop2 CNAME loop\n")
    one = Server(place, "one", users=ALICE, domain="one.test", config=relay([dns.address]))
    refused(place, one, "bob@nosuch.test", 502)
    refused(place, one, "bob@none.test", 502)
    refused(place, one, "bob@loop.test", 502)
    refused(place, one, "bob@elsewhere.example", 504)      # knot refuses: it is not its zone, and there is nobody else to ask
    [story] = one.lines("why")
    check(story["outcome"] == "dns", "why tells %s", story)
    one.stop()


# Proves RFC 3261 §8.1.2-1; RFC 3263 §4.2-3.
def phones_find_their_server(place):
    """without --proxy: by NAPTR and SRV of the domain, by SRV of the transport, by an address"""
    ports = free_port(), free_port()
    dns = NameServer(place, records(*ports, "T") + "plain A 127.0.0.1\n")
    two = domain_two(place, "two", ports[0])

    def ping(status, *args):
        r = tandem(place, "ping", *args, "--dns", dns.address)
        check(r.returncode == status, "ping %s: %d %s%s", args, r.returncode, r.stdout, r.stderr)
        return r

    ping(0, "sip:two.test")
    ping(0, "sip:two.test;transport=udp")
    ping(3, "sip:plain.test:%d" % ports[0])     # it got there, and that is no domain of it
    ping(0, "sip:two.test", "--proxy", "udp:two.test")
    ping(0, "sip:two.test", "--proxy", "tcp:plain.test:%d" % ports[0])
    check("no address" in ping(4, "sip:nosuch.test").stderr, "a name that is not there")
    check("no address" in ping(4, "sips:nosuch.test").stderr, "nobody there by TLS")
    check("no name server answered" in ping(4, "sip:elsewhere.example").stderr, "a name server that refuses")
    r = tandem(place, "ping", "sip:two.test", "--dns", "ns.test")
    check(r.returncode == 1 and "is no address" in r.stderr, "--dns ns.test: %d %s", r.returncode, r.stderr)
    bob = Process(place, "register", TANDEM, "register", "--as", "bob@two.test", "--password-env", "PW", "--dns", dns.address, "--json",
                  env={"PW": BOB["bob"]})
    bob.wait_event(event="registered")
    check("transport=tcp" in two.registrations("bob")[0]["contact"], "by TCP, as NAPTR says: %s", two.registrations("bob"))
    bob.stop()
    two.stop()


# Proves RFC 3263 §4.3-1.
def phones_try_the_next_server(place):
    """the first server of the domain is not there: whoever sends one request begins again with the second"""
    dead, port = free_port(), free_port()
    dns = NameServer(place, records(dead, port, "T"))
    two = domain_two(place, "two", port)

    def run(status, *args, env=None):
        r = tandem(place, *args, "--dns", dns.address, env=env)
        check(r.returncode == status, "%s: %d %s%s", args, r.returncode, r.stdout, r.stderr)
        return r

    words = "no answer from 127.0.0.1:%d (Connection refused); the next server is tried, 127.0.0.1:%d" % (dead, port)
    r = run(0, "ping", "sip:two.test")
    check(words in r.stderr and "200" in r.stdout, "ping: %s%s", r.stdout, r.stderr)
    run(0, "register", "--as", "bob@two.test", "--password-env", "PW", "--once", env={"PW": BOB["bob"]})
    r = run(3, "message", "nobody@two.test", "hello", "--as", "bob@two.test", "--password-env", "PW", "--json", env={"PW": BOB["bob"]})
    check([json.loads(l)["event"] for l in r.stdout.splitlines()] == ["next_server", "refused"], "message: %s", r.stdout)
    r = run(3, "call", "nobody@two.test", "--as", "bob@two.test", "--password-env", "PW", env={"PW": BOB["bob"]})
    check(words in r.stderr, "call: %s", r.stderr)
    two.stop()
    r = run(4, "ping", "sip:two.test")
    check(words in r.stderr and r.stderr.count("no answer: ") == 1, "nobody is left: %s", r.stderr)


if __name__ == "__main__":
    harness.run(a_call_between_domains, killed_in_mid_setup_over_udp, killed_in_mid_setup_over_tcp, two_families,
                name_servers_that_fail,
                names_that_lead_nowhere, phones_find_their_server, phones_try_the_next_server)
