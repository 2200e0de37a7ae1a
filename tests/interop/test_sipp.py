#!/usr/bin/env python3
"""sipp calls sipp through tandem: 2,000 calls at 200 a second, none failed, nothing sent twice. Over UDP and over TCP.

sipp's built-in scenarios know no Route and no credentials: its source is under trust, and what it calls is the server's own address,
which means the first domain. The UAS is registered there as "service", the user that the built-in UAC calls.
"""
import harness, sip
from harness import HOST, Server, Sipp, check, wait_for

CALLS, RATE = 2000, 200


def calls(place, transport, sipp_transport):
    server = Server(place, trust="any")
    uas = Sipp(place, "uas", "-sn", "uas", transport=sipp_transport)
    uas.wait_bound(transport)
    client = sip.Client(server)
    contact = "sip:service@%s:%d;transport=%s" % (HOST, uas.port, transport)
    client.must(200, *client.register("service", contact))
    uac = Sipp(place, "uac", "-sn", "uac", server.address, "-m", CALLS, "-r", RATE, transport=sipp_transport)
    status = uac.wait(120)
    check(status == 0, "the UAC ended with %s: %s good, %s failed", status, uac.counter("SuccessfulCall(C)"), uac.counter("FailedCall(C)"))
    wait_for(lambda: uas.counter("SuccessfulCall(C)") >= CALLS, "the UAS to have had all calls (%s)" % uas.counter("SuccessfulCall(C)"))
    for peer in (uac, uas):
        good, failed, again = (peer.counter(n + "(C)") for n in ("SuccessfulCall", "FailedCall", "Retransmissions"))
        check((good, failed, again) == (CALLS, 0, 0), "%s: %d good, %d failed, %d retransmissions", peer.name, good, failed, again)
    s = server.lines("status")[0]
    check(s["calls"] == {"answered": CALLS, "failed": 0}, "the server counts %s", s["calls"])
    if transport == "udp":              # 64*T1 after the last answer nothing may be left
        wait_for(lambda: not any(server.lines("status")[0]["now"].values()), "the last transaction to end", 60)
    server.stop()
    return "%d calls at %d/s" % (CALLS, RATE)


def calls_over_udp(place):
    return calls(place, "udp", "u1")


def calls_over_tcp(place):
    return calls(place, "tcp", "t1")


if __name__ == "__main__":
    harness.run(calls_over_udp, calls_over_tcp)
