#!/usr/bin/env python3
"""tandem's own phone: calls to `tandem answer`, to baresip and from baresip, with sound both ways, events and exit statuses.

And what `make run` prints, typed as it stands.
"""
import os, re, signal
import harness, tone
from harness import DOMAIN, TANDEM, TOP, Baresip, Process, Server, answering, calling, check, free_port, tandem, wait_for

USERS = {"alice": "alice-secret-1", "bob": "bob-secret-2"}


def sound(place, name, freq, seconds=30):
    tone.make(place.path(name), freq, seconds)
    return place.path(name)


def hears(path, freq, not_freq):
    ok, why = tone.find(path, freq)
    check(ok, "%s", why)
    ok, why = tone.find(path, not_freq)
    check(not ok, "%s", why)


def names(process):
    return [e["event"] for e in process.events()]


def in_order(process, *want):
    """these events were told in this order, perhaps with others between"""
    told = iter(names(process))
    check(all(w in told for w in want), "%s told %s, wanted %s", process.name, names(process), want)


def ended_well(process, by):
    check(process.wait() == 0, "%s ended with %s: %s%s", process.name, process.p.returncode, process.output()[-500:], process.errors()[-500:])
    e = [e for e in process.events() if e["event"] == "ended"][0]
    check(e["by"] == by and e["sent"] > 50 and e["received"] > 50 and e["lost"] <= e["received"] / 20, "%s: %s", process.name, e)


def phone_to_phone(place, transport, codec, hosts=("127.0.0.1",)):
    server = Server(place, users=USERS, hosts=hosts)
    bob = answering(place, server, "bob", "--tone", 700, "--record", place.path("bob-heard.wav"), transport=transport)
    alice = calling(place, server, "alice", "bob", "--play", sound(place, "440.wav", 440), "--record", place.path("alice-heard.wav"),
                 "--duration", 2, "--codec", codec, "--dtmf", "4#", transport=transport)
    ended_well(alice, "us")
    ended_well(bob, "peer")
    in_order(alice, "calling", "ringing", "answered", "ended")
    in_order(bob, "registered", "incoming", "answered", "ended")        # keys may come before the ACK
    check([e["key"] for e in bob.events() if e["event"] == "dtmf"] == ["4", "#"], "bob got %s", bob.events())
    for p in (alice, bob):
        check(p.wait_event(event="answered")["codec"] == codec, "%s: %s", p.name, p.events())
    hears(place.path("alice-heard.wav"), 700, 440)
    hears(place.path("bob-heard.wav"), 440, 700)
    check(not server.registrations(), "bob's registration stayed: %s", server.registrations())
    check(server.lines("status")[0]["calls"] == {"answered": 1, "failed": 0}, "status: %s", server.lines("status")[0]["calls"])
    server.stop()


# Proves RFC 3261 §12.1.1-1.
def phone_to_phone_over_udp(place):
    phone_to_phone(place, "udp", "PCMU")


def phone_to_phone_over_tcp(place):
    phone_to_phone(place, "tcp", "PCMA")


def phone_to_phone_over_ipv6(place):
    phone_to_phone(place, "udp", "PCMU", hosts=("[::1]",))


def phones_of_two_families(place):
    """the request crosses from IPv4 to IPv6; sound cannot without a relay, and the caller is told so"""
    server = Server(place, users=USERS, hosts=("127.0.0.1", "[::1]"))
    bob = answering(place, server, "bob", "--tone", 700, transport="tcp", host="[::1]")
    alice = calling(place, server, "alice", "bob", "--tone", 440)
    check(alice.wait() == 3, "alice ended with %s", alice.p.returncode)
    check("488" in alice.errors() and "IPv4" in alice.errors(), "alice was told %s", alice.errors())
    bob.signal(signal.SIGTERM)
    check(bob.wait() == 0, "bob ended with %s", bob.p.returncode)


def phone_to_baresip(place):
    server = Server(place, users=USERS)
    bob = Baresip(place, "bob", USERS["bob"], server, sound(place, "700.wav", 700), answer="auto")
    bob.wait_registered()
    alice = calling(place, server, "alice", "bob", "--tone", 440, "--record", place.path("heard.wav"), "--duration", 2)
    ended_well(alice, "us")
    bob.wait_event("CALL_CLOSED")
    bob.stop()
    hears(place.path("heard.wav"), 700, 440)
    hears(bob.heard(), 440, 700)


def baresip_to_phone(place):
    server = Server(place, users=USERS)
    bob = answering(place, server, "bob", "--tone", 700, "--record", place.path("heard.wav"))
    alice = Baresip(place, "alice", USERS["alice"], server, sound(place, "440.wav", 440))
    alice.wait_registered()
    alice.dial("bob")
    alice.wait_event("CALL_ESTABLISHED")
    wait_for(lambda: alice.recorded_seconds() > 2, "alice to have heard 2 s")
    alice.command("hangup")
    ended_well(bob, "peer")
    alice.stop()
    hears(place.path("heard.wav"), 440, 700)
    hears(alice.heard(), 700, 440)


def played_to_the_end(place):
    """without --duration the call lasts as long as the file"""
    server = Server(place, users=USERS)
    bob = answering(place, server, "bob", "--record", place.path("heard.wav"))
    alice = calling(place, server, "alice", "bob", "--play", sound(place, "1s.wav", 440, 1.5))
    check(alice.wait() == 0 and bob.wait() == 0, "they ended with %s and %s", alice.p.returncode, bob.p.returncode)
    in_order(alice, "answered", "played", "ended")
    rate, samples = tone.read(place.path("heard.wav"))
    check(rate == 8000 and 1.2 < len(samples) / rate < 3, "bob recorded %.1f s", len(samples) / rate)


def answering_one_after_the_other(place):
    server = Server(place, users=USERS)
    bob = answering(place, server, "bob", "--keep")
    for n in range(3):
        alice = calling(place, server, "alice", "bob", "--tone", 440, "--duration", 1)
        check(alice.wait() == 0, "call %d ended with %s", n, alice.p.returncode)
    wait_for(lambda: names(bob).count("ended") == 3, "bob to have had three calls (%s)" % names(bob))
    bob.signal(signal.SIGTERM)
    check(bob.wait() == 0, "bob ended with %s", bob.p.returncode)
    check(not server.registrations(), "bob's registration stayed: %s", server.registrations())


def refusals(place):
    server = Server(place, users=USERS)
    alice = calling(place, server, "alice", "bob", "--tone", 440)
    check(alice.wait() == 3, "to nobody: %s", alice.p.returncode)
    refused = alice.wait_event(event="refused")
    check(refused["status"] == 480 and "480" in alice.errors(), "to nobody: %s %s", refused, alice.errors())
    bob = answering(place, server, "bob", "--tone", 700)
    first = calling(place, server, "alice", "bob", "--tone", 440)
    bob.wait_event(event="answered")
    second = tandem(place, "call", "bob@" + DOMAIN, *server.account("alice"), "--json", env={"PW": USERS["alice"]})
    check(second.returncode == 3 and "486" in second.stdout, "to one who talks: %d %s", second.returncode, second.stdout)
    first.signal(signal.SIGINT)
    check(first.wait() == 0 and bob.wait() == 0, "after Ctrl-C: %s and %s", first.p.returncode, bob.p.returncode)
    r = tandem(place, "call", "bob@" + DOMAIN, *server.account("alice"), "--json", env={"PW": "wrong-password"})
    check(r.returncode == 3 and "407" in r.stdout, "wrong password: %d %s", r.returncode, r.stdout)
    r = tandem(place, "answer", *server.account("bob"), "--json", env={"PW": "wrong-password"})
    check(r.returncode == 3 and "401" in r.stdout, "wrong password: %d %s", r.returncode, r.stdout)


def giving_up(place):
    """Ctrl-C while it rings: CANCEL, exit status 4"""
    server = Server(place, users=USERS)
    bob = Baresip(place, "bob", USERS["bob"], server, sound(place, "700.wav", 700, 1))
    bob.wait_registered()
    alice = calling(place, server, "alice", "bob", "--tone", 440)
    alice.wait_event(event="ringing")
    alice.signal(signal.SIGINT)
    check(alice.wait() == 4, "alice ended with %s", alice.p.returncode)
    in_order(alice, "ringing", "cancelled")
    bob.wait_event("CALL_CLOSED")


def declined(place):
    server = Server(place, users=USERS)
    bob = Baresip(place, "bob", USERS["bob"], server, sound(place, "700.wav", 700, 1))
    bob.wait_registered()
    alice = calling(place, server, "alice", "bob", "--tone", 440)
    bob.wait_event("CALL_INCOMING")
    bob.command("hangup")
    check(alice.wait() == 3, "alice ended with %s", alice.p.returncode)
    check(alice.wait_event(event="refused")["status"] in (486, 603), "alice told %s", alice.events())


def what_make_run_prints_works(place):
    """tools/run in a folder with a tandem.yaml: its lines are typed as they stand, in another terminal"""
    port = free_port()
    place.write("tandem.yaml", "domains:\n  - name: example.test\nlisten:\n  - udp:127.0.0.1:%d\n  - tcp:127.0.0.1:%d\nstate: ./state\n"
                % (port, port))
    run = Process(place, "run", os.path.join(TOP, "tools", "run"), TANDEM)
    text = wait_for(lambda: "Who is registered" in run.output() and run.output(), "tools/run to say what to type")
    answer_line = re.search(r"^  (BOB_PW=.* answer .*)$", text, re.M).group(1)
    call_line = re.search(r"^  (ALICE_PW=.* call .*)$", text, re.M).group(1)
    bob = Process(place, "bob", "sh", "-c", "exec env " + answer_line)
    wait_for(lambda: "registered" in bob.output(), "bob to be registered: %s" % bob.errors())
    alice = place.run("sh", "-c", call_line)
    check(alice.returncode == 0, "alice's line ended with %d: %s", alice.returncode, alice.stderr)
    check(bob.wait() == 0, "bob's line ended with %s", bob.p.returncode)
    ok, why = tone.find(place.path("heard.wav"), 440)
    check(ok, "%s", why)
    for line in re.findall(r"(\S+ (?:status|registrations))\b", text.splitlines()[-2] + text.splitlines()[-1]):
        r = place.run("sh", "-c", line)
        check(r.returncode == 0, "%s: %d %s", line, r.returncode, r.stderr)
    run.signal(signal.SIGINT)
    check(run.wait() == 0, "it ended with %s", run.p.returncode)
    again = Process(place, "again", os.path.join(TOP, "tools", "run"), TANDEM)
    text = wait_for(lambda: "Who is registered" in again.output() and again.output(), "tools/run to start again")
    passwd = re.search(r"^  (\S+ user passwd \S+)$", text, re.M).group(1)
    r = place.run("sh", "-c", passwd)
    check(r.returncode == 0 and "password:" in r.stdout, "%s: %d %s", passwd, r.returncode, r.stderr)
    again.signal(signal.SIGTERM)
    check(again.wait() == 0, "it ended with %s", again.p.returncode)


if __name__ == "__main__":
    harness.run(phone_to_phone_over_udp, phone_to_phone_over_tcp, phone_to_phone_over_ipv6, phones_of_two_families, phone_to_baresip,
                baresip_to_phone, played_to_the_end, answering_one_after_the_other, refusals, giving_up, declined, what_make_run_prints_works)
