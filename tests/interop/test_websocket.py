#!/usr/bin/env python3
"""SIP over WebSocket (RFC 7118) frame by frame: handshakes, origins, what RFC 6455 forbids, and calls between a client without an
address and one on UDP. (A browser is test_browser.py.)"""
import os, re, socket, ssl, time, warnings
import harness, sip, websocket
from harness import HOST, DOMAIN, Failure, Server, check, free_port, make_certificate, wait_for
from websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Client, WebSocket, frame


def server_for(place, config="", trust="any", workers=2, **more):
    """listens for ws and wss as well; its certificate is its own, made at the start"""
    s = Server(place, trust=trust, start=False, config="workers: %d\nregistrations: memory\n%s" % (workers, config), **more)
    s.ws, s.wss = free_port(), free_port()
    text = harness.read_file(s.file).replace("state: ./state\n", '  - "ws:%s:%d"\n  - "wss:%s:%d"\nstate: ./state\n' % (HOST, s.ws, HOST, s.wss))
    place.write(os.path.relpath(s.file, place.folder), text)
    s.start()
    return s


def trusting(path):
    """what a client takes: this certificate, for the names in it"""
    c = ssl.create_default_context(cafile=path)
    c.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    return c


def either(server):
    """[(port, TLS or None)] of both listeners"""
    return [(server.ws, None), (server.wss, trusting(server.certificate))]


def still_serves(server, port=None, secure=None):
    c = Client(port or server.ws, secure)
    c.must(200, *c.request("OPTIONS", "sip:" + DOMAIN, "sip:probe@" + DOMAIN, to="sip:" + DOMAIN))
    c.close()
    check(server.alive(), "the server ended")


def ready_names_it(place):
    server = server_for(place)
    for at in ("ws:%s:%d" % (HOST, server.ws), "wss:%s:%d" % (HOST, server.wss)):
        check(at in server.ready["listen"], "listen: %s", server.ready["listen"])
    for port, secure in either(server):
        still_serves(server, port, secure)
    server.stop()


# Proves RFC 7118 §4.1-1.
def t6_handshakes(place):
    """RFC 6455 §4.2.1, RFC 7118 §4.1: what is missing is refused"""
    server = server_for(place)
    for what, kw in (("no subprotocol", dict(protocol=None)), ("another subprotocol", dict(protocol="chat")),
                     ("no key", dict(drop=["Sec-WebSocket-Key"])), ("no version", dict(drop=["Sec-WebSocket-Version"])),
                     ("another version", dict(Sec_WebSocket_Version="8")), ("no upgrade", dict(drop=["Upgrade", "Connection"])),
                     ("another upgrade", dict(Upgrade="h2c"))):
        ws = WebSocket(server.ws)
        status, answer = ws.handshake(**kw)
        check(status == 0 or 400 <= status < 500, "%s: %d %s", what, status, answer)
        ws.wait_closed()
        ws.close()
    for kw in (dict(protocol="sip, chat"), dict(protocol="chat, sip"), dict(path="/ws?x=1"),
               dict(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")):
        ws = WebSocket(server.ws).open(**kw)
        ws.close()
    still_serves(server)


def t6_origins(place):
    """T6: by default, pages we could have served ourselves; with a list, those on it"""
    server = server_for(place)
    own = "http://%s:%d" % (HOST, server.ws)
    rows = ((own, None, 101), ("http://localhost:%d" % server.ws, "localhost:%d" % server.ws, 101),
            ("http://%s:%d" % (DOMAIN, server.ws), "%s:%d" % (DOMAIN, server.ws), 101), ("http://evil.test", None, 403),
            ("http://evil.test:%d" % server.ws, "evil.test:%d" % server.ws, 403), ("http://%s:%d" % (HOST, server.ws + 1), None, 403),
            ("null", None, 403), ("http://%s" % HOST, None, 403), ("https://phone.example.org", None, 403), (None, None, 101))
    for origin, host, want in rows:
        ws = WebSocket(server.ws)
        status, _ = ws.handshake(origin=origin, host=host)
        check(status == want, "origin %s, host %s: %d, wanted %d", origin, host, status, want)
        ws.close()
    check("evil.test" in server.process.errors(), "the log says nothing of it")
    text = harness.read_file(server.file) + "web:\n  origins: [\"HTTPS://Phone.example.org:443\"]\n"
    place.write(os.path.relpath(server.file, place.folder), text)
    r = server.command("reload")
    check(r.returncode == 0, "reload: %s %s", r.stdout, r.stderr)
    for origin, want in (("https://phone.example.org", 101), (own, 403)):
        ws = WebSocket(server.ws)
        status, _ = ws.handshake(origin=origin)
        check(status == want, "origin %s with a list: %d, wanted %d", origin, status, want)
        ws.close()


def options_request(c):
    return c.request("OPTIONS", "sip:" + DOMAIN, "sip:probe@" + DOMAIN, to="sip:" + DOMAIN)


# Proves RFC 5626 §4.4.1-1; RFC 7118 §4.2-1, §5-1, §5-2, §6-1.
def messages_in_any_form(place):
    """text, binary, fragments, one byte at a time, pings between; UTF-8 and what is none; without Content-Length"""
    server = server_for(place)
    for port, secure in either(server):
        any_form(Client(port, secure))


def any_form(c):
    c.must(200, *options_request(c))
    c.binary = True
    c.must(200, *options_request(c))
    branch, data = options_request(c)
    third = len(data) // 3
    parts = frame(TEXT, data[:third], fin=False) + frame(PING, b"are you there") + frame(CONTINUATION, b"", fin=False) \
        + frame(CONTINUATION, data[third:2 * third], fin=False) + frame(CONTINUATION, data[2 * third:])
    for i in range(len(parts)):
        c.ws.send_raw(parts[i:i + 1])
    seen = [c.ws.read(), c.ws.read()]
    check((PONG, b"are you there") in seen, "the pong: %s", seen)
    check(any(op == TEXT and p.startswith(b"SIP/2.0 200") for op, p in seen), "the answer: %s", seen)
    branch, data = options_request(c)
    c.must(200, branch, data.replace(b"Content-Length: 0\r\n", b""))
    c.send(b"\r\n\r\n")
    check(c.ws.read_message() == b"\r\n", "a ping of CR LF")
    # what is no UTF-8 goes in binary frames both ways (RFC 7118 §4.2)
    branch, data = c.request("OPTIONS", "sip:" + DOMAIN, "sip:probe@" + DOMAIN, to="sip:" + DOMAIN)
    c.send(data.replace(b"Max-Forwards: 70\r\n", b"Max-Forwards: 70\r\n").replace(b"From: <", b"From: \"\xff\" <"))
    op, answer = c.ws.read()
    check(answer.startswith(b"SIP/2.0 ") and (op == BINARY) == (b"\xff" in answer), "opcode %s: %s", op, answer)
    c.ws.send_raw(frame(CLOSE, b"\x03\xe8bye"))
    check(c.ws.wait_closed() in (1000, 0), "the closing handshake")


# Proves RFC 7118 §4.1-2.
def t6_frames_that_break_the_rules(place):
    """T6: each closes its connection, with the right code where one is sent; the others go on"""
    server = server_for(place)
    for port, secure in either(server):
        break_rules(server, port, secure)


def break_rules(server, port, secure):
    good = Client(port, secure)
    rows = (
        ("64 KiB and a byte", frame(TEXT, b"A" * 65537), (1009,)),
        ("says 2^62", frame(BINARY, b"OPTIONS", length=1 << 62), (1009,)),
        ("says 2^63", frame(BINARY, b"OPTIONS", length=1 << 63), (0, 1002, 1009)),
        ("fragments without end", frame(TEXT, b"A" * 1000, fin=False) + frame(CONTINUATION, b"A" * 1000, fin=False) * 80, (1009,)),
        ("no SIP", frame(TEXT, b"{\"jsonrpc\": 2}"), (1008,)),
        ("text that is no UTF-8", frame(TEXT, b"OPTIONS \xff\xfe"), (1007, 0)),
        ("a fragmented ping", frame(PING, b"x", fin=False), (1002,)),
        ("a ping of 126 bytes", frame(PING, b"x" * 126), (0, 1002)),
        ("a continuation of nothing", frame(CONTINUATION, b"x"), (1002,)),
        ("text within a message", frame(TEXT, b"OPT", fin=False) + frame(TEXT, b"IONS"), (1002,)),
        ("a reserved bit", frame(TEXT, b"OPTIONS", rsv=4), (1002,)),
        ("a reserved opcode", frame(3, b"x"), (1002,)),
        ("a reserved control opcode", frame(11, b"x"), (1002,)),
    )
    for what, data, codes in rows:
        ws = WebSocket(port, secure).open()
        ws.send_raw(data)
        code = ws.wait_closed()
        check(code in codes, "%s: closed with %d, wanted %s", what, code, codes)
        ws.close()
        good.must(200, *options_request(good))
    good.close()
    still_serves(server, port, secure)


def t6_frames_without_a_mask(place):
    """T6: RFC 6455 §5.1 wants them refused; the library takes them, and they are messages like others"""
    server = server_for(place)
    c = Client(server.ws)
    branch, data = options_request(c)
    c.ws.send_raw(frame(TEXT, data, masked=False))
    answer = c.receive(5)
    check(answer and answer.status == 200 and answer.branch == branch, "the answer: %s", answer and answer.lines)
    c.must(200, *options_request(c))
    c.ws.send_raw(frame(TEXT, b"A" * 70000, masked=False))
    check(c.ws.wait_closed() == 1009, "a long one")
    still_serves(server)


def rss_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", harness.read_file("/proc/%d/status" % pid)).group(1))


def t6_ping_flood(place):
    """T6: 100,000 pings whose pongs are not read, beside somebody who is served; memory stays flat"""
    server = server_for(place)
    good, bad = Client(server.ws), WebSocket(server.ws).open()
    good.must(200, *options_request(good))
    before = rss_kib(server.process.pid)
    bad.socket.settimeout(20)
    flood = frame(PING, b"x" * 125) * 1000
    for i in range(100):
        try:
            bad.send_raw(flood)
        except (socket.timeout, ConnectionError):
            break           # it is a stranger still, and closed after 10 s
        good.must(200, *options_request(good))
    grown = rss_kib(server.process.pid) - before
    check(grown < 4096, "memory grew by %d KiB", grown)
    still_serves(server)
    return "%d KiB" % grown


def t1_half_handshakes(place):
    """T1: who does not finish his handshake is gone after 10 s, and a source has so many connections only"""
    server = server_for(place, config="limits: {connections_per_source: 20}\n")
    start = time.monotonic()
    slow = [WebSocket(server.ws) for _ in range(20)]
    for i, ws in enumerate(slow):
        ws.send_raw(b"GET / HTTP/1.1\r\nHost: x\r\n"[:i + 1])
    still_serves(server)                  # at the cost of the oldest of them
    gone = slow[0].wait_closed(5)
    check(gone == 0 and time.monotonic() - start < 8, "the oldest made no room")
    for ws in slow[1:]:
        ws.wait_closed(20)
    check(time.monotonic() - start < 15, "closed after %.1f s", time.monotonic() - start)


def watch(server):
    return server.lines("status")[0]


# Proves RFC 7118 §4.1-1, §5.1-1, §5.2-1, §5.4-1, §8.1-1.
def registers_and_is_called(place):
    """the contact's host is nobody's (.invalid): it is reached over the connection it registered over, from either worker"""
    server = server_for(place)
    for port, secure in either(server):
        is_called(server, port, secure)


def is_called(server, port, secure):
    c, udp = Client(port, secure), sip.Client(server)
    c.must(200, *c.register("alice", c.contact("alice")))
    row = [r for r in server.registrations("alice") if r["contact"] == c.contact("alice")][0]
    check(row["transport"] == c.kind.upper() and row["contact"] == c.contact("alice"), "registered: %s", row)
    for i in range(8):          # Call-IDs of both workers
        branch, data = udp.request("MESSAGE", "sip:alice@" + DOMAIN, "sip:bob@" + DOMAIN, to="sip:alice@" + DOMAIN, body="hello %d" % i,
                                   extra=["Content-Type: text/plain"])
        udp.send(data)
        got = c.ws.read_message().decode()
        check(got.startswith("MESSAGE %s SIP/2.0\r\n" % c.contact("alice")) and "hello %d" % i in got, "the request: %s", got)
        via = re.findall(r"^Via: (.*)$", got, re.M)
        check(via[0].startswith("SIP/2.0/%s %s:%d;" % (c.kind.upper(), HOST, port)), "Via: %s", via)
        kept = [l for l in got.split("\r\n") if re.match(r"(Via|From|To|Call-ID|CSeq):", l)]
        c.send(("SIP/2.0 200 OK\r\n" + "\r\n".join(kept) + "\r\n\r\n").encode())
        answer = udp.receive(5)
        while answer and answer.status < 200:
            answer = udp.receive(5)
        check(answer and answer.status == 200 and answer.branch == branch, "the answer: %s", answer and answer.lines)
    connections = watch(server)["transport"]["connections"]
    check(connections == 1, "%d connections", connections)
    c.close()
    wait_for(lambda: watch(server)["transport"]["connections"] == 0, "the server to know that it is gone")
    r = udp.ask(*udp.request("MESSAGE", "sip:alice@" + DOMAIN, "sip:bob@" + DOMAIN, to="sip:alice@" + DOMAIN))
    check(r and r.status in (430, 480, 502), "after it has gone: %s", r and r.lines[0])


def openssl(place, *args, stdin=None):
    r = place.run("openssl", *args, stdin=stdin)
    check(r.returncode == 0, "openssl %s: %s", " ".join(args), r.stderr)
    return r.stdout


# Proves RFC 5922 §7.8-1; RFC 7118 §9.1-1.
def certificates_change_under_way(place):
    """by name (SNI), and anew by a reload; connections stay what they are"""
    first, second, other = (make_certificate(place, n, d)[0] for n, d in (("one", DOMAIN), ("two", DOMAIN), ("other", "other.test")))
    server = server_for(place, config="tls:\n  certificate: %s\n  key: %s\n" % (first, first.replace(".crt", ".key")))
    c = Client(server.wss, trusting(first))
    try:
        Client(server.wss, trusting(second))
        raise Failure("a certificate that is not in use was shown")
    except ssl.SSLCertVerificationError:
        pass
    text = harness.read_file(server.file).replace("one.", "two.")
    place.write(os.path.relpath(server.file, place.folder), text)
    r = server.command("reload")
    check(r.returncode == 0, "reload: %s %s", r.stdout, r.stderr)
    fresh = Client(server.wss, trusting(second))
    for client in (c, fresh):
        client.must(200, *options_request(client))


# Proves RFC 7118 §9.1-1.
def old_tls_is_refused(place):
    """TLS 1.2 at least; no renegotiation; plain HTTP on the port of TLS gets nowhere"""
    server = server_for(place)
    warnings.simplefilter("ignore", DeprecationWarning)
    for version, works in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)):
        secure = trusting(server.certificate)
        secure.set_ciphers("DEFAULT:@SECLEVEL=0")
        secure.minimum_version = secure.maximum_version = version
        try:
            still_serves(server, server.wss, secure)
            check(works, "%s was taken", version)
        except ssl.SSLError as e:
            check(not works, "%s: %s", version, e)
    r = place.run("openssl", "s_client", "-connect", "%s:%d" % (HOST, server.wss), "-tls1_2", stdin="R\n")
    check("NO_RENEGOTIATION" in r.stderr.upper() or "no renegotiation" in r.stderr.lower(), "renegotiation: %s", r.stderr[-300:])
    ws = WebSocket(server.wss)
    ws.send_raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    ws.wait_closed(15)
    still_serves(server, *either(server)[1])


# Proves RFC 3261 §18.2.2-1.
def a_response_finds_its_way_back(place):
    """§18.2.2: a response leaves by the connection of its request, and by no other when that is gone"""
    server = server_for(place, workers=1)
    a, b, udp = Client(server.ws), Client(server.ws), sip.Client(server)
    udp.must(200, *udp.register("bob", "sip:bob@%s:%d" % (HOST, udp.port)))
    branch, data = a.request("MESSAGE", "sip:bob@" + DOMAIN, "sip:alice@" + DOMAIN, to="sip:bob@" + DOMAIN)
    a.send(data)
    got = udp.receive(5)
    check(got and got.reason.startswith("MESSAGE"), "the request: %s", got and got.lines)
    a.close()
    kept = [l for l in got.lines if re.match(r"(Via|From|To|Call-ID|CSeq):", l)]
    udp.send(("SIP/2.0 200 OK\r\n" + "\r\n".join(kept) + "\r\nContent-Length: 0\r\n\r\n").encode())
    b.must(200, *options_request(b))
    check(b.ws.read(0.3) is None, "somebody else's response")
    still_serves(server)


if __name__ == "__main__":
    harness.run(ready_names_it, t6_handshakes, t6_origins, messages_in_any_form, t6_frames_that_break_the_rules, t6_frames_without_a_mask, t6_ping_flood,
                t1_half_handshakes, registers_and_is_called, certificates_change_under_way, old_tls_is_refused, a_response_finds_its_way_back)
