#!/usr/bin/env python3
"""`tandem why` after real phones failed at a real server: the word for programs, and what a person reads."""
import json, os, re, signal
import harness, tone
from harness import DOMAIN, TANDEM, Baresip, Process, Server, check, tandem, wait_for

USERS = {"alice": "alice-secret-1", "bob": "bob-secret-2"}


def options(server, user):
    return ["--as", "%s@%s" % (user, DOMAIN), "--password-env", "PW", "--proxy", "udp:" + server.address, "--json"]


def call(place, server, whom, status, password=USERS["alice"]):
    """alice calls and is refused with that status"""
    r = tandem(place, "call", whom if "@" in whom else "%s@%s" % (whom, DOMAIN), *options(server, "alice"), env={"PW": password})
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
    bob = Process(place, "answer", TANDEM, "answer", *options(server, "bob"), "--tone", 700, env={"PW": USERS["bob"]})
    bob.wait_event(event="registered")
    first = Process(place, "call", TANDEM, "call", "bob@" + DOMAIN, *options(server, "alice"), "--tone", 440, env={"PW": USERS["alice"]})
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
    caller = Process(place, "call", TANDEM, "call", "bob@" + DOMAIN, *options(server, "alice"), env={"PW": USERS["alice"]})
    wait_for(lambda: server.lines("calls"), "the call to be under way")
    call(place, server, "bob", 503)
    story(server, "overload", r"proxy\.max_pending")
    caller.wait(60)
    bob.process.signal(signal.SIGCONT)
    story(server, "no-answer", r"the phone at 127\.0\.0\.1 did not answer 7 INVITEs in 32 s", r"firewall drops UDP",
          r"registration expires in (9 min|10 min|5\d\d s)", r"408 Request Timeout")


if __name__ == "__main__":
    harness.run(ways_to_fail, busy, a_phone_that_hangs)
