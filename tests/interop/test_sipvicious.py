#!/usr/bin/env python3
"""SIPVicious (svmap, svwar, svcrack), the scanner that every server on the Internet meets within hours: it learns nothing, who cracks
passwords is banned, and calls beside it come through (X9, A5).

It works from an address of its own, 127.0.0.2, while the phones are at 127.0.0.1. It knows MD5 alone.
"""
import re
import harness
from harness import DOMAIN, Server, answering, calling, check, wait_for

THERE = "127.0.0.2"
USERS = {"alice": "correct-horse-7", "bob": "battery-staple-9", "103": "20004711", "105": "not-that-of-104"}


def server_for(place, config=""):
    return Server(place, users=USERS, config="digest: [md5]\n" + config)


# svcrack forgets to hand on the address that it is told to bind
BOUND = """
import socket, sys
class Socket(socket.socket):
    def bind(self, address):
        super().bind(("%s", address[1]))
socket.socket = Socket
sys.path.insert(0, "/usr/share/sipvicious")
from sipvicious.%%s import main
main()
""" % THERE


def command(server, program, *args):
    return ["/usr/bin/python3", "-c", BOUND % program, *args, "-p", server.port, "127.0.0.1"]


def run(place, server, program, *args, seconds=90):
    """one of the three, against the server; all that it said"""
    r = place.run(*command(server, program, *args), seconds=seconds, env={"HOME": place.folder})
    return r.stdout + r.stderr


def call(place, server, n):
    bob = answering(place, server, "bob", "--duration", "1", name="bob%d" % n)
    alice = calling(place, server, "alice", "bob", "--duration", "1", name="alice%d" % n)
    status = alice.wait(60)
    check(status == 0, "call %d beside the scanner ended with %s: %s", n, status, alice.errors()[-300:])
    bob.stop()


def shapes(said):
    """the responses svwar shows, without what differs for every one (numbers, the user that was asked for)"""
    return {re.sub(r"10\d|[0-9a-f]{6,}|nonce=\\?\"[^\"]*\"|\d+", "#", line) for line in re.findall(r"Response: (.*)", said)}


def x9_svwar_cannot_tell_users(place):
    server = server_for(place)
    said = run(place, server, "svwar", "-e100-110", "--domain=" + DOMAIN)
    check("found nothing" in said, "svwar: %s", said)
    for method in ("REGISTER", "INVITE", "OPTIONS"):
        said = run(place, server, "svwar", "--force", "-m", method, "-e100-110", "--domain=" + DOMAIN)
        check("found nothing" in said and re.search(r"SIP/2\.0 40[17]", said), "svwar %s: %s", method, said)
        check(len(shapes(said)) <= 1, "svwar %s sees differences: %s", method, shapes(said))
        check(not re.search(r"(?m)^\| 10[35]", said), "svwar %s: %s", method, said)
    check("tandem" not in run(place, server, "svmap").lower(), "svmap learns what runs here")
    call(place, server, 1)
    check(server.lines("status")[0]["bans"]["made"] == 0, "datagrams that could be anybody's made a ban")


def a5_svcrack_is_banned(place):
    server = server_for(place)
    call(place, server, 1)
    cracking = harness.Process(place, "svcrack", *command(server, "svcrack", "-u", "103", "-r20004600-20004800", "--domain=" + DOMAIN),
                               env={"HOME": place.folder})
    bans = wait_for(lambda: server.lines("bans"), "svcrack to be banned", 60)
    check(len(bans) == 1 and bans[0]["source"] == THERE and bans[0]["why"] == "passwords" and bans[0]["offences"] == 20, "bans: %s", bans)
    call(place, server, 2)          # while it goes on
    cracking.wait(60)
    said = cracking.output() + cracking.errors()
    check("20004711" not in said and "found nothing" in said, "svcrack: %s", said)
    check(server.lines("status")[0]["bans"]["dropped"] > 0, "status: %s", server.lines("status")[0]["bans"])
    check("found nothing" in run(place, server, "svmap"), "svmap sees a server from where svcrack was banned")
    story = server.lines("why", THERE)[0]
    check(story["outcome"] == "banned" and "guessed 20 passwords" in story["what"], "why: %s", story)
    # the user was never locked: the right password from elsewhere works at once
    r = harness.tandem(place, "register", *server.account("103"), "--once", env={"PW": "20004711"})
    check(r.returncode == 0, "103: %s", r.stderr)
    # and it is let in again
    r = server.command("bans")
    check(re.search(r"127\.0\.0\.2 +for 0:\d\d:\d\d more: it guessed 20 passwords\n1 banned", r.stdout), "bans: %s", r.stdout)
    r = server.command("bans", "remove", "127.0.0.3")
    check(r.returncode == 3, "bans remove of somebody else: %d %s", r.returncode, r.stderr)
    r = server.command("bans", "remove", THERE)
    check(r.returncode == 0 and "let in again" in r.stdout, "bans remove: %d %s", r.returncode, r.stdout + r.stderr)
    check(server.lines("bans") == [], "bans: %s", server.lines("bans"))
    check("127.0.0.1:%d" % server.port in run(place, server, "svmap"), "svmap after that")


def who_is_allowed_is_not_banned(place):
    server = server_for(place, "guard: {allow: [127.0.0.2], tries: 5}\n")
    said = run(place, server, "svcrack", "-u", "103", "-r20004680-20004730", "--domain=" + DOMAIN)
    check("20004711" in said, "svcrack does not find what it could: %s", said)
    status = server.lines("status")[0]
    check(status["bans"]["made"] == 0 and status["authentication"]["refused"] >= 20, "status: %s", status)


if __name__ == "__main__":
    harness.run(x9_svwar_cannot_tell_users, a5_svcrack_is_banned, who_is_allowed_is_not_banned)
