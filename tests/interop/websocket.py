"""A WebSocket client of nothing but bytes (RFC 6455), so that it can do what no browser would: frames of any kind, halves of them,
handshakes with something missing. SIP over it as sip.Client speaks it (RFC 7118)."""
import base64, hashlib, os, socket, ssl, struct, time
import sip
from harness import HOST, Failure, check

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(opcode, payload=b"", fin=True, masked=True, rsv=0, length=None, mask=b"\x37\xfa\x21\x3d"):
    """one frame; length: what its head says, where that is to differ"""
    n = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    if n < 126:
        head += bytes([bit | n])
    elif n < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", n)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", n)
    if not masked:
        return head + payload
    return head + mask + bytes(b ^ mask[i & 3] for i, b in enumerate(payload))


class WebSocket:
    """A connection; open() makes the handshake. answer: the status of the HTTP response, and its fields in lower case."""

    def __init__(self, port, secure=None, host=HOST):
        self.socket = socket.create_connection((host, port), timeout=10)
        if secure:
            self.socket = secure.wrap_socket(self.socket, server_hostname="example.test")
        self.port, self.buffer, self.closed, self.upgraded = port, b"", False, False

    def close(self):
        self.socket.close()

    def send_raw(self, data):
        self.socket.sendall(data)

    def _more(self, until):
        left = until - time.monotonic()
        if left <= 0 or self.closed:
            return False
        self.socket.settimeout(left)
        try:
            data = self.socket.recv(65536)
        except (socket.timeout, ssl.SSLWantReadError):
            return False
        except (ConnectionError, ssl.SSLError):
            data = b""
        self.closed = not data
        self.buffer += data
        return bool(data)

    def handshake(self, origin=None, protocol="sip", path="/", host=None, drop=(), seconds=10, **fields):
        """sends one, and reads what it is answered: (status, fields); (0, {}) when the connection closes without"""
        key = base64.b64encode(os.urandom(16)).decode()
        rows = {"Host": host or "%s:%d" % (HOST, self.port), "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key,
                "Sec-WebSocket-Version": "13", "Origin": origin, "Sec-WebSocket-Protocol": protocol}
        rows.update({k.replace("_", "-"): v for k, v in fields.items()})
        text = "GET %s HTTP/1.1\r\n" % path + "".join("%s: %s\r\n" % (k, v) for k, v in rows.items() if v is not None and k not in drop)
        self.send_raw((text + "\r\n").encode())
        end = time.monotonic() + seconds
        while b"\r\n\r\n" not in self.buffer and self._more(end):
            pass
        if b"\r\n\r\n" not in self.buffer:
            return 0, {}
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode(errors="replace").split("\r\n")
        answer = {l.split(":", 1)[0].lower(): l.split(":", 1)[1].strip() for l in lines[1:] if ":" in l}
        status = int(lines[0].split()[1])
        self.upgraded = status == 101
        if status == 101:
            accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
            check(answer.get("sec-websocket-accept") == accept, "Sec-WebSocket-Accept: %s", answer)
        return status, answer

    def open(self, **kw):
        status, answer = self.handshake(**kw)
        check(status == 101, "the handshake was answered %d %s", status, answer)
        check(answer.get("sec-websocket-protocol") == "sip", "the subprotocol: %s", answer)
        check("sec-websocket-extensions" not in answer, "an extension nobody asked for: %s", answer)
        return self

    def read(self, seconds=10):
        """(opcode, payload) of the next frame; None when none comes; (None, b"") at the end of the connection"""
        end = time.monotonic() + seconds
        while True:
            b = self.buffer
            if len(b) >= 2:
                check(not b[0] & 0x70 and b[0] & 0x80, "a frame of the server: %s", b[:2].hex())
                check(not b[1] & 0x80, "a masked frame of the server")
                n, at = b[1] & 0x7f, 2
                if n == 126 and len(b) >= 4:
                    n, at = struct.unpack(">H", b[2:4])[0], 4
                elif n == 127 and len(b) >= 10:
                    n, at = struct.unpack(">Q", b[2:10])[0], 10
                elif n >= 126:
                    n = 1 << 40
                if len(b) >= at + n:
                    self.buffer = b[at + n:]
                    return b[0] & 0xf, b[at:at + n]
            if not self._more(end):
                return (None, b"") if self.closed else None

    def read_message(self, seconds=10):
        """the next text or binary message; None at the end of the connection"""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            got = self.read(end - time.monotonic())
            if got is None or got[0] is None or got[0] == CLOSE:
                return None
            if got[0] in (TEXT, BINARY):
                return got[1]
        return None

    def wait_closed(self, seconds=10):
        """reads until the server has closed: the code of its closing frame, 0 without one; fails if it does not"""
        end, code = time.monotonic() + seconds, 0
        if not self.upgraded:
            while self._more(end):
                pass
            check(self.closed, "the server did not close the connection in %g s", seconds)
            return 0
        while time.monotonic() < end:
            got = self.read(end - time.monotonic())
            if got and got[0] is None:
                return code
            if got and got[0] == CLOSE and len(got[1]) >= 2:
                code = struct.unpack(">H", got[1][:2])[0]
                try:
                    self.socket.sendall(frame(CLOSE, got[1][:2]))
                except OSError:
                    pass
        raise Failure("the server did not close the connection in %g s" % seconds)


class Client(sip.Client):
    """sip.Client over a WebSocket: it has no address of its own, as in a browser (RFC 7118 §8.1)"""

    def __init__(self, port, secure=None, **kw):
        self.ws = WebSocket(port, secure).open(**kw)
        self.kind, self.host, self.binary = "wss" if secure else "ws", os.urandom(6).hex() + ".invalid", False

    def close(self):
        self.ws.close()

    def contact(self, user):
        return "sip:%s@%s;transport=ws" % (user, self.host)

    def request(self, *args, **kw):
        self.port = 0
        branch, data = super().request(*args, **kw)
        via = b"Via: SIP/2.0/%s %s:0" % (self.kind.upper().encode(), HOST.encode())
        check(via in data, "no Via to replace")
        return branch, data.replace(via, b"Via: SIP/2.0/%s %s" % (self.kind.upper().encode(), self.host.encode()))

    def send(self, data):
        self.ws.send_raw(frame(BINARY if self.binary else TEXT, data))

    def receive(self, seconds):
        data = self.ws.read_message(seconds)
        return sip.Response(data) if data else None
