#!/usr/bin/env python3
"""Flows of RFC 3665 over real sockets: UDP, TCP, TLS, WebSocket, secure WebSocket. Two phones of nothing but text, with passwords, and the
program between them. (With simulated time and every flow: tests/scenario/test_rfc3665.c.)"""
import hashlib, itertools, os, re, socket, ssl
import harness, websocket
from harness import DOMAIN, HOST, Failure, check
from test_websocket import server_for, trusting

USERS = {"alice": "alice-secret-1", "bob": "bob-secret-2"}
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
serial = itertools.count(1)


class Message:
    """request or response; fields by name, the first of each"""

    def __init__(self, text):
        head, _, self.body = text.partition("\r\n\r\n")
        self.start, *self.lines = head.split("\r\n")
        self.status = int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0
        self.method = self["CSeq"].split()[1]

    def __getitem__(self, name):
        return next((l.partition(":")[2].strip() for l in self.lines if l.lower().startswith(name.lower() + ":")), "")

    def all(self, *names):
        return [l for l in self.lines if l.partition(":")[0].lower() in [n.lower() for n in names]]


class Phone:
    """sends what it is told, and keeps what comes until somebody wants it"""

    def __init__(self, server, user, kind):
        self.user, self.kind, self.password, self.buffer, self.came, self.challenge = user, kind, USERS[user], b"", [], None
        if kind in ("ws", "wss"):
            self.ws = websocket.WebSocket(server.ws if kind == "ws" else server.wss, trusting(server.certificate) if kind == "wss" else None).open()
            self.host = "%s%d.invalid" % (user, next(serial))
        else:
            self.ws = None
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
            self.socket.bind((HOST, 0))
            self.socket.connect((HOST, server.tls_port if kind == "tls" else server.port))
            if kind == "tls":
                self.socket = trusting(server.certificate).wrap_socket(self.socket, server_hostname=DOMAIN)
            self.host = "%s:%d" % self.socket.getsockname()
        self.contact = "<sip:%s@%s%s>" % (user, self.host, "" if kind == "udp" else ";transport=" + kind.replace("wss", "ws"))

    def close(self):
        (self.ws or self.socket).close()

    def send(self, text):
        data = text.encode()
        if self.ws:
            self.ws.send_raw(websocket.frame(websocket.TEXT, data))
        else:
            self.socket.sendall(data)

    def _messages(self, seconds):
        """what comes next: one message or more; none at the end of the time"""
        if self.ws:
            data = self.ws.read_message(seconds)
            return [Message(data.decode())] if data else []
        self.socket.settimeout(seconds)
        try:
            self.buffer += self.socket.recv(65536)
        except (socket.timeout, ssl.SSLWantReadError):
            return []
        found = []
        while b"\r\n\r\n" in self.buffer:
            head = self.buffer.index(b"\r\n\r\n") + 4
            m = re.search(rb"^(?:Content-Length|l)\s*:\s*(\d+)", self.buffer[:head], re.I | re.M)
            end = head + (int(m.group(1)) if m else 0)
            if len(self.buffer) < end:
                break
            found.append(Message(self.buffer[:end].decode()))
            self.buffer = self.buffer[end:]
        return found

    def want(self, what, seconds=10):
        """a request by its method, a response by its status or (status, method); status None: any"""
        status, method = what if isinstance(what, tuple) else (what, None) if isinstance(what, int) else (0, what)
        for _ in range(50):
            for m in self.came:
                if (m.status == status or (status is None and m.status)) and method in (None, m.method):
                    self.came.remove(m)
                    return m
            more = self._messages(seconds)
            if not more:
                break
            self.came += more
        raise Failure("%s over %s wants %s and has %s" % (self.user, self.kind, what, [m.start for m in self.came]))

    def credentials(self, method, uri):
        """RFC 7616 with SHA-256, for the last challenge"""
        if not self.challenge:
            return []
        name, realm, nonce = self.challenge
        sha = lambda s: hashlib.sha256(s.encode()).hexdigest()
        nc = "%08x" % next(self.counts)
        response = sha("%s:%s:%s:c0:auth:%s" % (sha("%s:%s:%s" % (self.user, realm, self.password)), nonce, nc, sha("%s:%s" % (method, uri))))
        return ['%s: Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=SHA-256, qop=auth, nc=%s, cnonce="c0"'
                % (name, self.user, realm, nonce, uri, response, nc)]

    def learn(self, response):
        for name, mine in (("WWW-Authenticate", "Authorization"), ("Proxy-Authenticate", "Proxy-Authorization")):
            for line in response.all(name):
                if "SHA-256" in line:
                    self.challenge = mine, re.search(r'realm="([^"]*)"', line).group(1), re.search(r'nonce="([^"]*)"', line).group(1)
        self.counts = itertools.count(1)

    def answer(self, request, status, reason, body=""):
        lines = request.all("Via", "Record-Route", "From", "Call-ID", "CSeq")
        to = request["To"] + ("" if "tag=" in request["To"] else ";tag=" + self.user)
        self.send("\r\n".join(["SIP/2.0 %d %s" % (status, reason), *lines, "To: " + to, "Contact: " + self.contact, *content(body)]) + "\r\n\r\n" + body)


def content(body):
    return (["Content-Type: application/sdp"] if body else []) + ["Content-Length: %d" % len(body)]


class Leg:
    """one side of a call"""

    def __init__(self, phone, to=None, request=None):
        self.phone, self.cseq, self.routes = phone, 1, []
        if request:
            self.call_id, self.local, self.remote = request["Call-ID"], request["To"] + ";tag=" + phone.user, request["From"]
            self.target, self.routes = re.search(r"<([^>]*)>", request["Contact"]).group(1), values(request, "Record-Route")
        else:
            self.call_id, self.target = "flow%d-%d" % (os.getpid(), next(serial)), to
            self.local, self.remote = "<sip:%s@%s>;tag=t%d" % (phone.user, DOMAIN, next(serial)), "<%s>" % to

    def learn(self, response):
        self.remote, self.target = response["To"], re.search(r"<([^>]*)>", response["Contact"]).group(1)
        self.routes = values(response, "Record-Route")[::-1]

    def send(self, method, body="", extra=(), uri=None, branch=None, contact=True):
        """ACK and CANCEL are of the last INVITE, and have no credentials; CANCEL has its branch"""
        p, uri, late = self.phone, uri or self.target, method in ("ACK", "CANCEL")
        self.cseq += not late
        if method == "INVITE":
            self.invite = self.cseq
        if method != "CANCEL":
            self.branch = branch or "z9hG4bK-%d-%d" % (os.getpid(), next(serial))
        p.send("\r\n".join(["%s %s SIP/2.0" % (method, uri), "Via: SIP/2.0/%s %s;rport;branch=%s" % (p.kind.upper(), p.host, self.branch),
                            *("Route: " + r for r in self.routes), "Max-Forwards: 70", "From: " + self.local, "To: " + self.remote,
                            "Call-ID: " + self.call_id, "CSeq: %d %s" % (self.invite if late else self.cseq, method),
                            *(["Contact: " + p.contact] if contact else []), *([] if late else p.credentials(method, uri)), *extra,
                            *content(body)]) + "\r\n\r\n" + body)


def values(message, name):
    return [v.strip() for l in message.all(name) for v in re.findall(r"<[^>]*>[^,]*", l.partition(":")[2])]


def registers(phone, *lines):
    """the final answer; a challenge is met once"""
    leg = Leg(phone, "sip:%s@%s" % (phone.user, DOMAIN))
    leg.call_id, leg.cseq = "reg-" + phone.user, next(serial) * 10
    for again in range(2):
        leg.send("REGISTER", extra=lines, uri="sip:" + DOMAIN, contact=False)
        m = phone.want((None, "REGISTER"))
        if m.status != 401:
            break
        phone.learn(m)
    return m


def dials(alice, bob, body=SDP):
    """alice's leg, and the INVITE that bob has"""
    leg = Leg(alice, "sip:bob@" + DOMAIN)
    leg.send("INVITE", body)
    if not alice.challenge or alice.challenge[0] != "Proxy-Authorization":
        alice.learn(refused(leg, 407))
        leg.send("INVITE", body)
    alice.want(100)
    return leg, bob.want("INVITE")


def refused(leg, status):
    """the refusal, acknowledged"""
    m = leg.phone.want(status)
    remote, leg.remote = leg.remote, m["To"]
    leg.send("ACK", branch=leg.branch)
    leg.remote = remote
    return m


def talks(leg, invite, bob, offer_in_ack=""):
    """180, 200, ACK; bob's leg"""
    bob.answer(invite, 180, "Ringing")
    leg.phone.want(180)
    bob.answer(invite, 200, "OK", SDP)
    m = leg.phone.want((200, "INVITE"))
    check(m.body == SDP, "the 200's body: %s", m.body)
    leg.learn(m)
    leg.send("ACK", offer_in_ack)
    check(bob.want("ACK").body == offer_in_ack, "the ACK's body")
    return Leg(bob, request=invite)


def hangs_up(leg, other):
    leg.send("BYE")
    other.answer(other.want("BYE"), 200, "OK")
    leg.phone.want((200, "BYE"))


# ---- the flows ----

def f2_registration(server, alice, bob):
    """2.1 to 2.4: anew, another contact, a question, all taken back; 2.5: a wrong password"""
    count = lambda m: len(values(m, "Contact"))
    m = registers(bob, "Contact: " + bob.contact)
    check(m.status == 200 and count(m) == 1, "2.1: %s", m.lines)
    m = registers(bob, "Contact: " + bob.contact.replace("bob@", "bob-two@"))
    check(m.status == 200 and count(m) == 2, "2.2: %s", m.lines)
    m = registers(bob)
    check(m.status == 200 and count(m) == 2, "2.3: %s", m.lines)
    m = registers(bob, "Contact: *", "Expires: 0")
    check(m.status == 200 and count(m) == 0, "2.4: %s", m.lines)
    bob.password, bob.challenge = "wrong", None
    m = registers(bob, "Contact: " + bob.contact)
    check(m.status == 401, "2.5: %s", m.start)


def f3_1_session(server, alice, bob):
    leg, invite = dials(alice, bob)
    hangs_up(talks(leg, invite, bob), alice)


def f3_6_offer_in_the_200(server, alice, bob):
    leg, invite = dials(alice, bob, "")
    check(not invite.body, "a body came from nowhere")
    talks(leg, invite, bob, SDP)
    hangs_up(leg, bob)


def f3_7_reinvite(server, alice, bob):
    leg, invite = dials(alice, bob)
    theirs = talks(leg, invite, bob)
    theirs.send("INVITE", SDP)
    alice.answer(alice.want("INVITE"), 200, "OK", SDP)
    bob.want((200, "INVITE"))
    theirs.send("ACK")
    alice.want("ACK")
    hangs_up(leg, bob)


def f3_8_cancel(server, alice, bob):
    leg, invite = dials(alice, bob)
    bob.answer(invite, 180, "Ringing")
    alice.want(180)
    leg.send("CANCEL")
    alice.want((200, "CANCEL"))
    bob.answer(bob.want("CANCEL"), 200, "OK")
    bob.answer(invite, 487, "Request Terminated")
    bob.want("ACK")
    refused(leg, 487)


def f3_9_and_3_11_refused(server, alice, bob):
    for status, reason in ((486, "Busy Here"), (480, "Temporarily Unavailable")):
        leg, invite = dials(alice, bob)
        bob.answer(invite, status, reason)
        bob.want("ACK")
        refused(leg, status)


def flows(place, kind):
    server = server_for(place, trust=False, users=USERS, tls=True)
    for flow in (f2_registration, f3_1_session, f3_6_offer_in_the_200, f3_7_reinvite, f3_8_cancel, f3_9_and_3_11_refused):
        alice, bob = Phone(server, "alice", kind), Phone(server, "bob", kind)
        if flow is not f2_registration:
            check(registers(bob, "Contact: " + bob.contact).status == 200, "bob is not registered")
            bob.challenge = None
        try:
            flow(server, alice, bob)
        except Failure as e:
            raise Failure("%s: %s" % (flow.__name__, e)) from None
        check(not [m.start for m in alice.came + bob.came if m.status != 100], "left over: %s", [m.start for m in alice.came + bob.came])
        if flow is not f2_registration:
            bob.challenge = None
            check(registers(bob, "Contact: *", "Expires: 0").status == 200, "bob stays")
        alice.close()
        bob.close()
    server.stop()


def over_udp(place):
    flows(place, "udp")


def over_tcp(place):
    flows(place, "tcp")


def over_tls(place):
    flows(place, "tls")


def over_websocket(place):
    flows(place, "ws")


def over_secure_websocket(place):
    flows(place, "wss")


if __name__ == "__main__":
    harness.run(over_udp, over_tcp, over_tls, over_websocket, over_secure_websocket)
