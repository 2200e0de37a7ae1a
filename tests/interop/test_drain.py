#!/usr/bin/env python3
"""tandem drain: nothing new begins, running calls end as they like, then the server ends by itself; or at a limit; or it is taken back.

The calls are sipp's, so that what goes on are dialogs of another program.
"""
import json, signal, time
import harness, sip
from harness import DOMAIN, HOST, TANDEM, Process, Server, Sipp, check, wait_for

LONG = 600000           # ms a call lasts that a test ends otherwise


def set_up(place, calls, lasting_ms=LONG, config=""):
    """a server with so many calls under way: (server, the callers, a client)"""
    server = Server(place, trust="any", config=config)
    uas = Sipp(place, "uas", "-sn", "uas")
    uas.wait_bound("udp")
    client = sip.Client(server)
    client.must(200, *client.register("service", "sip:service@%s:%d" % (HOST, uas.port)))
    uac = Sipp(place, "uac", "-sn", "uac", server.address, "-m", calls, "-r", 100, "-d", lasting_ms)
    wait_for(lambda: server.lines("status")[0]["calls"]["answered"] == calls, "%d calls to be answered" % calls)
    return server, uac, client


def invite(client, server):
    return client.ask(*client.request("INVITE", "sip:service@" + DOMAIN, "sip:late@" + DOMAIN, "sip:service@" + DOMAIN,
                                      extra=["Contact: <sip:late@%s:%d>" % (HOST, client.port)]))


def waiting(place, server, *more):
    return Process(place, "waiting%d" % len(place.processes), TANDEM, "drain", "--wait", "--json", "-c", server.file, *more)


def it_ends_with_the_last_call(place):
    server, uac, client = set_up(place, 10, 3000)
    w = waiting(place, server)
    w.wait_event(event="draining")
    late = invite(client, server)
    check(late and late.status == 503 and 20 <= int(late.first("Retry-After")) < 40, "a new call got %s", late and late.lines)
    check(server.lines("status")[0]["draining"]["limit_s"] is None, "status does not tell it")
    check(uac.wait(30) == 0 and uac.counter("SuccessfulCall(C)") == 10, "%d of the calls came through", uac.counter("SuccessfulCall(C)"))
    check(w.wait(10) == 0, "the drain ended with %s: %s", w.p.returncode, w.errors())
    check(not server.alive(), "tandem drain --wait returned, and the server is there")
    check(server.process.wait(1) == 0, "the server ended with %s", server.process.p.returncode)
    said = [(e["event"], e["calls"]) for e in w.events()]
    check(said[0] == ("draining", 10) and said[-1] == ("drained", 0), "it told %s", said)
    check("call=" not in server.process.errors().split("serve drained")[1], "calls ended after it: %s", server.process.errors()[-500:])


def an_idle_server_ends_at_once(place):
    server = Server(place)
    start = time.monotonic()
    r = server.command("drain", "--wait")
    check(r.returncode == 0 and "drained: no call is left" in r.stdout, "it said %s %s", r.stdout, r.stderr)
    check(time.monotonic() - start < 10, "that took %.1f s", time.monotonic() - start)
    check(server.process.wait(1) == 0, "the server ended with %s", server.process.p.returncode)


def at_the_limit_calls_are_left(place):
    server, _, _ = set_up(place, 3)
    w = waiting(place, server, "--limit", "2")
    check(w.wait(20) == 3, "it ended with %s: %s", w.p.returncode, w.output())
    check(w.events()[-1]["event"] == "limit" and w.events()[-1]["calls"] == 3, "it told %s", w.events())
    check(server.process.wait(1) == 0, "the server ended with %s", server.process.p.returncode)


def it_is_taken_back(place):
    server, _, client = set_up(place, 2)
    r = server.command("drain")                            # without --wait it says how many are left, and returns
    check(r.returncode == 0 and r.stdout == "draining: 2 calls left; the server ends with the last\n", "it said %s", r.stdout)
    r = server.command("drain", "--limit", "600")          # again: the new limit counts
    check("or in 600 seconds" in r.stdout, "it said %s", r.stdout)
    w = waiting(place, server, "--limit", "500")
    w.wait_event(event="draining")
    check(invite(client, server).status == 503, "it took a call")
    r = server.command("drain", "--stop", "--wait")
    check(r.returncode == 1, "--stop --wait: %s", r.stderr)
    r = server.command("drain", "--stop")
    check(r.returncode == 0 and "serves as before" in r.stdout, "it said %s", r.stdout)
    check(w.wait(10) == 3 and w.events()[-1]["event"] == "serving", "who waited was told %s", w.events())
    check(server.command("drain", "--stop").returncode == 0, "a second --stop")
    check("draining" not in server.lines("status")[0], "status still says so")
    late = invite(client, server)
    check(late and late.status == 200, "a call got %s", late and late.lines[0])
    w = waiting(place, server)
    w.wait_event(event="draining")
    server.process.signal(signal.SIGTERM)                   # at once, as ever
    check(server.process.wait() == 0, "the server ended with %s", server.process.p.returncode)
    check(w.wait(10) == 3 and w.events()[-1]["event"] == "stopped", "who waited was told %s", w.events())


def without_counting_it_wants_a_limit(place):
    server = Server(place, config="calls: {track: no}\n")
    r = server.command("drain")
    check(r.returncode == 2 and "--limit" in r.stderr, "it said %d %s", r.returncode, r.stderr)
    check("draining" not in server.lines("status")[0], "it drains all the same")
    r = server.command("drain", "--wait", "--limit", "1")
    check(r.returncode == 3 and "limit was reached" in r.stdout, "it said %d %s", r.returncode, r.stdout)
    server.process.wait()
    check(server.command("drain").returncode == 2, "nobody runs")


if __name__ == "__main__":
    harness.run(it_ends_with_the_last_call, an_idle_server_ends_at_once, at_the_limit_calls_are_left, it_is_taken_back,
                without_counting_it_wants_a_limit)
