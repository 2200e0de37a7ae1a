#!/usr/bin/env python3
"""sipsak: OPTIONS, registration with a password, MESSAGE to nobody; a flood and random damage that the server must live through.

Two habits of sipsak 0.9.8.1 are worked around: it cuts the fifth digit off a port in a URI, and makes "alice@" of a user name unless
the name is given with -u. It knows MD5 alone.
"""
import re
import harness, sip
from harness import HOST, Server, check, free_port

PASSWORD = "correct-horse-7"


def server_for(place, **more):
    return Server(place, users={"alice": PASSWORD}, domain="localhost", port=free_port(6000, 9998), **more)


def sipsak(place, *args, seconds=60):
    return place.run("sipsak", *args, seconds=seconds)


def expect(r, status, pattern):
    said = r.stdout + r.stderr
    check(r.returncode == status and re.search(pattern, said), "%s: exit status %d, wanted %d and %s: %s", " ".join(r.args),
          r.returncode, status, pattern, said[-600:])


def still_serves(server):
    client = sip.Client(server)
    uri = "sip:" + server.address
    client.must(200, *client.request("OPTIONS", uri, "sip:probe@localhost", to=uri))
    check(server.alive(), "the server ended")
    client.close()


# Proves RFC 3261 §18.2.1-2.
def options_are_answered(place):
    server = server_for(place)
    for transport in ("udp", "tcp"):
        expect(sipsak(place, "-vv", "-s", "sip:" + server.address, "--transport=" + transport), 0, r"SIP/2\.0 200 OK")


def usrloc(place, server, password, *args):
    return sipsak(place, "-U", "-i", "-u", "alice", "-a", password, "-s", "sip:alice@localhost:%d" % server.port, "-vv", *args)


def registers_with_a_password(place):
    server = server_for(place)
    contact = "sip:alice@%s:9999" % HOST
    expect(usrloc(place, server, PASSWORD, "-C", contact, "-x", "300"), 0, r"(?i)success")
    rows = server.registrations("alice")
    check([r["contact"] for r in rows] == [contact], "registrations: %s", rows)
    expect(usrloc(place, server, "not-her-password", "-C", "sip:alice@%s:9998" % HOST, "-x", "300"), 2, r"401")
    check(server.registrations("alice")[0]["contact"] == contact, "registrations: %s", server.registrations("alice"))


def strangers_stay_outside(place):
    server = server_for(place)
    r = sipsak(place, "-U", "-i", "-u", "mallory", "-a", PASSWORD, "-s", "sip:mallory@localhost:%d" % server.port, "-C",
               "sip:mallory@%s:9999" % HOST, "-vv")
    expect(r, 2, r"401")
    check(not server.registrations(), "registrations: %s", server.registrations())


def flood_and_damage_are_survived(place):
    server = server_for(place)
    expect(sipsak(place, "-F", "-e", "20000", "-s", "sip:" + server.address), 0, r"flood end reached")
    still_serves(server)
    for n in (1, 5, 20, 80, 300):
        # It ends with an error as soon as something it broke gets no answer, which is what that deserves.
        sipsak(place, "-R", "-t", n, "-s", "sip:" + server.address, "-D", "1", seconds=120)
        still_serves(server)
    s = server.lines("status")[0]
    check(s["requests"]["options"] > 100, "status: %s", s["requests"])
    server.stop()


if __name__ == "__main__":
    harness.run(options_are_answered, registers_with_a_password, strangers_stay_outside, flood_and_damage_are_survived)
