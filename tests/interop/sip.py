"""A very small SIP client over UDP or TCP: enough to register from a trusted source, to ask OPTIONS, and to hear what comes back.

It builds messages by hand and reads only what the tests look at; nothing in it is shared with the program under test.
"""
import itertools, os, re, socket, time
from harness import HOST, DOMAIN, Failure

serial = itertools.count(1)


class Response:
    def __init__(self, data):
        head, _, self.body = data.decode(errors="replace").partition("\r\n\r\n")
        self.lines = head.split("\r\n")
        m = re.match(r"SIP/2\.0 (\d{3}) (.*)", self.lines[0])
        self.status = int(m.group(1)) if m else 0
        self.reason = m.group(2) if m else self.lines[0]

    def all(self, name):
        return [l.split(":", 1)[1].strip() for l in self.lines[1:] if l.lower().startswith(name.lower() + ":")]

    def first(self, name):
        return (self.all(name) or [""])[0]

    @property
    def branch(self):
        m = re.search(r"branch=([^;,\s]+)", self.first("Via"))
        return m.group(1) if m else ""


class Client:
    def __init__(self, server, kind="udp"):
        self.to, self.kind = (HOST, server.port), kind
        if kind == "udp":
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((HOST, 0))
        else:
            self.socket = socket.create_connection(self.to, timeout=5)
        self.port = self.socket.getsockname()[1]

    def close(self):
        self.socket.close()

    def send(self, data):
        if self.kind == "udp":
            self.socket.sendto(data, self.to)
        else:
            self.socket.sendall(data)

    def request(self, method, uri, from_, to=None, cseq=1, call_id=None, extra=(), body=""):
        """(branch, bytes)"""
        branch = "z9hG4bK-%d-%d" % (os.getpid(), next(serial))
        lines = ["%s %s SIP/2.0" % (method, uri), "Via: SIP/2.0/%s %s:%d;branch=%s;rport" % (self.kind.upper(), HOST, self.port, branch),
                 "Max-Forwards: 70", "From: <%s>;tag=t%d" % (from_, next(serial)), "To: <%s>" % (to or from_),
                 "Call-ID: %s" % (call_id or "c%d-%d" % (os.getpid(), next(serial))), "CSeq: %d %s" % (cseq, method), *extra,
                 "Content-Length: %d" % len(body)]
        return branch, ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def register(self, user, contact=None, expires=600, cseq=1, call_id=None):
        aor = "sip:%s@%s" % (user, DOMAIN)
        extra = ["Contact: <%s>" % contact, "Expires: %d" % expires] if contact else []
        return self.request("REGISTER", "sip:" + DOMAIN, aor, cseq=cseq, call_id=call_id, extra=extra)

    def receive(self, seconds):
        """one message, or None"""
        self.socket.settimeout(max(seconds, 0.001))
        try:
            data = self.socket.recv(65536)
        except (socket.timeout, ConnectionError):       # refused: the port is closed while the server is down
            return None
        return Response(data) if data else None

    def ask(self, branch, data, seconds=5, again=0.5):
        """sends until a final response to it comes: that, or None"""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self.send(data)
            except ConnectionError:
                time.sleep(0.01)
            until = min(end, time.monotonic() + again) if self.kind == "udp" else end
            while time.monotonic() < until:
                r = self.receive(until - time.monotonic())
                if r and r.branch == branch and r.status >= 200:
                    return r
                if r is None:
                    break
        return None

    def must(self, status, branch, data):
        r = self.ask(branch, data)
        if not r or r.status != status:
            raise Failure("wanted %d for %s, got %s" % (status, data.split(b" SIP")[0].decode(), r and r.lines[0]))
        return r
