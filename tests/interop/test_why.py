#!/usr/bin/env python3
"""`tandem why` after real phones failed at a real server: the word for programs, and what a person reads."""
import json, re, signal
import harness, sip, tone
from harness import DOMAIN, HOST, Baresip, Server, answering, calling, check, free_port, make_certificate, tandem, wait_for
from test_dns import NameServer

USERS = {"alice": "alice-secret-1", "bob": "bob-secret-2"}


def call(place, server, whom, status, password=USERS["alice"]):
    """alice calls and is refused with that status"""
    r = tandem(place, "call", whom if "@" in whom else "%s@%s" % (whom, DOMAIN), *server.account("alice"), "--json", env={"PW": password})
    check(str(status) in r.stdout, "calling %s: %d %s%s", whom, r.returncode, r.stdout, r.stderr)


def story(server, outcome, *patterns, which="last"):
    """what is told of it, in words and as JSON, says all that"""
    [told] = server.lines("why", which)
    words = server.command("why", which)
    check(words.returncode == 0, "why: %d %s", words.returncode, words.stderr)
    check(told["outcome"] == outcome, "wanted %s, got %s: %s", outcome, told["outcome"], words.stdout)
    for p in patterns:
        check(re.search(p, words.stdout), "no \"%s\" in: %s", p, words.stdout)
    check(told["what"] in words.stdout and told["remedy"] in words.stdout, "the two tell different things: %s, %s", told, words.stdout)
    check(len(told["steps"]) >= 2, "steps: %s", told["steps"])
    for secret in USERS.values():
        check(secret not in words.stdout + json.dumps(told), "a password is shown: %s", words.stdout)
    return told


def sound(place):
    tone.make(place.path("700.wav"), 700, 1)
    return place.path("700.wav")


def ways_to_fail(place):
    server = Server(place, users=USERS, config="workers: 2\n")
    r = server.command("why")
    check(r.returncode == 3 and "nothing is known" in r.stderr, "before anything: %d %s", r.returncode, r.stderr)
    phone = Baresip(place, "bob", "wrong-password", server, sound(place))
    wait_for(lambda: "401" in phone.log(), "bob's phone to be refused")
    story(server, "wrong-password", r"register as bob@example\.test", r"password was wrong", r"tandem user passwd bob@example\.test")
    phone.stop()
    call(place, server, "dave", 404)
    story(server, "unknown-user", r"alice@example\.test \(127\.0\.0\.1\) called dave@example\.test", r"tandem user add dave@example\.test")
    call(place, server, "bob", 480)
    told = story(server, "not-registered", r"no phone of this user is registered", r"switch the phone on")
    story(server, "not-registered", which=told["call_id"])
    call(place, server, "someone@elsewhere.example", 403)
    story(server, "relay-refused", r"none of this server's domains", r"add it under domains")
    story(server, "not-registered", which="bob")
    check(server.command("why", "nobody-ever").returncode == 3, "somebody who was never here")


def busy(place):
    server = Server(place, users=USERS)
    bob = answering(place, server, "bob", "--tone", 700)
    first = calling(place, server, "alice", "bob", "--tone", 440)
    bob.wait_event(event="answered")
    told = story(server, "answered", r"called bob@example\.test, who answered after", r"nobody has hung up")
    call(place, server, "bob", 486)
    story(server, "busy", r"bob@example\.test: the phone at 127\.0\.0\.1 is busy \(it answered 486 ")
    first.signal(signal.SIGINT)
    check(first.wait() == 0 and bob.wait() == 0, "after Ctrl-C: %s and %s", first.p.returncode, bob.p.returncode)
    story(server, "answered", r"the caller hung up after", which=told["call_id"])


def a_phone_that_hangs(place):
    """registered, and then silent; and while it is called, the caller's source has used up what it may have pending"""
    server = Server(place, users=USERS, config="workers: 1\nproxy: {max_pending: 1}\n")
    bob = Baresip(place, "bob", USERS["bob"], server, sound(place))
    bob.wait_registered()
    bob.process.signal(signal.SIGSTOP)
    caller = calling(place, server, "alice", "bob")
    wait_for(lambda: server.lines("calls"), "the call to be under way")
    call(place, server, "bob", 503)
    story(server, "overload", r"proxy\.max_pending")
    caller.wait(60)
    bob.process.signal(signal.SIGCONT)
    story(server, "no-answer", r"the phone at 127\.0\.0\.1 did not answer 7 INVITEs in 32 s", r"firewall drops UDP",
          r"registration expires in (9 min|10 min|5\d\d s)", r"408 Request Timeout")


def in_a_circle(place):
    """two servers that each send bob's calls to the other one"""
    one, two = (Server(place, name, users=USERS, trust="any", domain=name + ".test", config="workers: 1\n") for name in ("one", "two"))
    for server, other in ((one, two), (two, one)):
        c = sip.Client(server)
        aor = "sip:bob@" + server.domain
        c.must(200, *c.request("REGISTER", "sip:" + server.domain, aor,
                               extra=["Contact: <sip:bob@%s:%d>" % (HOST, other.port), "Expires: 600"]))
        c.close()
    c = sip.Client(one)
    r = c.ask(*c.request("INVITE", "sip:bob@one.test", "sip:alice@one.test", to="sip:bob@one.test", extra=["Contact: <sip:alice@%s>" % HOST]))
    check(r and r.status == 482, "the call ended with %s", r and r.lines[0])
    story(two, "loop", r"bob", r"came back to this server unchanged", r"circle")
    story(one, "loop", r"bob@one\.test: the phone at 127\.0\.0\.1 sends what it gets round in a circle", r"contact that was registered")
    one.stop()
    two.stop()


def another_domain(place, name, dns, config=""):
    return Server(place, name, users={"alice": USERS["alice"]}, domain="one.test", tls=True,
                  config="workers: 1\nrelay: users\ndns: {servers: [%s], timeout: 2s}\n%s" % (dns, config))


def call_from(place, server, whom, status):
    r = tandem(place, "call", whom, "--as", "alice@one.test", "--password-env", "PW", "--proxy", "udp:" + server.address, "--json",
               env={"PW": USERS["alice"]})
    check(str(status) in r.stdout, "calling %s: %d %s%s", whom, r.returncode, r.stdout, r.stderr)


def certificate_of_another_name(place):
    """two.test is reached by TLS alone, and who is there shows a certificate that is believed, but for other names"""
    port = free_port()
    crt, key = make_certificate(place, "wrong", "elsewhere.test")
    dns = NameServer(place, 'two NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.two\n_sips._tcp.two SRV 10 5 %d b.two\nb.two A 127.0.0.1\n' % (port + 1))
    one = another_domain(place, "one", '"%s"' % dns.address, "tls: {ca: %s}\n" % crt)
    two = Server(place, "two", trust="any", domain="two.test", port=port, tls=True, config="tls: {certificate: %s, key: %s}\n" % (crt, key))
    call_from(place, one, "bob@two.test", 50)
    story(one, "tls-name", r"The server at 127\.0\.0\.1:%d \(TLS\) is not the one it should be, and got nothing" % (port + 1),
          r"\"two\.test\" was asked for, and it names elsewhere\.test", r"needs a certificate with the name")
    one.stop()
    two.stop()


def names_that_are_not_found(place):
    """a name that nobody has; and no name server that would know any"""
    dns = NameServer(place, "")
    one = another_domain(place, "one", '"%s"' % dns.address)
    call_from(place, one, "bob@nosuch.test", 502)
    story(one, "dns", r"bob@nosuch\.test", r"no such name|no address|nothing")
    deaf = another_domain(place, "deaf", '"%s:%d"' % (HOST, free_port()), "")
    call_from(place, deaf, "bob@two.test", 504)
    story(deaf, "dns", r"bob@two\.test", r"name server")
    one.stop()
    deaf.stop()


if __name__ == "__main__":
    harness.run(ways_to_fail, busy, a_phone_that_hangs, in_a_circle, certificate_of_another_name, names_that_are_not_found)
