"""The rows of the two tables: what one operation is, which server it needs, what it is held to.

Targets are multiples of Kamailio's speed on the same core (speed) or bytes (memory). {first} and {seconds} in a load are
filled in for each run, so that every run registers addresses nobody has seen.
"""
from typing import NamedTuple, Optional

USERS = 600000                                        # known by their secrets in the rows with digest
UNIT = 200000                                         # addresses of one run there
NEW_UNIT = 500000                                     # addresses of one run without digest
FEW = "register --users 10000 --window 64"
MANY = "register --users 50000 --window 64"


class Speed(NamedTuple):
    name: str
    what: str                                         # one operation, in words
    variant: str                                      # of the servers, see servers.py
    prep: Optional[str]                               # the load that goes before
    load: str
    ratio: float                                      # at least this many times Kamailio's speed
    instructions: Optional[int] = None                # of one operation, at most
    echoes: float = 0                                 # datagrams in and out, halved: the floor; 0: none is measured
    handshakes: int = 0                               # of TLS, which are the floor where they are what is measured
    p99_ms: Optional[float] = None                    # of the answer, at most
    p99_rival: bool = False                           # of the answer, at most Kamailio's
    pinned: bool = True                               # the server alone on a core, a polling generator on the other
    unit: int = NEW_UNIT

    def floor_us(self, floors):
        """floors: of one echo and of one handshake, see rounds.py"""
        return floors["echo"] * self.echoes + floors["handshake"] * self.handshakes


class Memory(NamedTuple):
    name: str
    what: str
    variant: str
    prep: Optional[str]
    load: Optional[str]                               # None: the server as it stands after its start
    at_most: int                                      # bytes of PSS per thing
    per: str = "ok"                                   # the generator's count of things
    sample: bool = False                              # PSS is read while the load lasts, not after its end
    without: Optional[str] = None                     # the growth of this variant is taken off


REFRESH = "register --users 50000 --count 100000000 --duration {seconds}"
NEW = "register --first {first} --users %d --duration {seconds}"
MESSAGE = "message --users 10000 --random --duration {seconds}"
CALL = "call --users 10000 --random --duration {seconds}"
TCP = " --transport tcp --conns 32"
TLS = " --transport tls"

SPEED = [
    Speed("options", "OPTIONS answered", "plain", None, "options --duration {seconds}", 1.6, 8000, 1),
    Speed("refresh", "REGISTER of a known address, memory", "plain", MANY, REFRESH, 2, 10000, 1),
    Speed("register", "REGISTER of a new address, memory", "plain", None, NEW % NEW_UNIT, 2, 12000, 1),
    Speed("refresh_durable", "the same, known and on disk", "durable", MANY, REFRESH + " --window 512", 1, None, 1, 20),
    Speed("register_durable", "the same, new and on disk", "durable", None, NEW % NEW_UNIT + " --window 512", 0.6, None, 1, 20),
    Speed("refresh_md5", "REGISTER of a known address, cached nonce, MD5", "auth", MANY, REFRESH + " --preauth", 2, None, 1),
    Speed("register_md5", "REGISTER challenged with MD5: two transactions", "auth", None, NEW % UNIT, 2, 30000, 2, unit=UNIT),
    Speed("register_sha256", "the same with SHA-256", "auth_sha256", None, NEW % UNIT, 2, None, 2, unit=UNIT),
    Speed("message", "MESSAGE relayed, stateful", "plain", FEW, MESSAGE, 2.5, 22000, 2),
    Speed("message_1m", "the same among 1 M registered addresses", "big", "register --users 1000000 --window 128",
          "message --users 1000000 --random --duration {seconds}", 3, None, 2),
    Speed("message_stateless", "MESSAGE relayed, stateless", "stateless", FEW, MESSAGE, 1.9, 14000, 2),
    Speed("call", "call: INVITE 100 180 200 ACK BYE 200, stateful, Record-Route", "plain", FEW, CALL, 2.5, 70000, 6.5),
    Speed("call_dialog", "the same, every call tracked to its end, with its record", "dialog", FEW, CALL, 2.5, None, 6.5),
    Speed("options_tcp", "OPTIONS over TCP", "tcp", None, "options --duration {seconds}" + TCP, 1.5),
    Speed("refresh_tcp", "REGISTER of a known address over TCP", "tcp", MANY + " --transport tcp", REFRESH + TCP, 1.8),
    Speed("call_tcp", "call over TCP", "tcp", FEW + " --transport tcp", CALL + TCP, 2),
    Speed("refresh_tls", "REGISTER of a known address over TLS 1.3", "tls", MANY + TLS, REFRESH + TLS + " --conns 32", 1.5),
    Speed("connect_tls", "TLS 1.3 connection, ECDSA P-256, OPTIONS, close", "tls", None,
          "connect --sources 60 --window 32 --duration {seconds}" + TLS, 2, handshakes=1),
    Speed("malformed", "7 bad datagrams and an OPTIONS", "plain", None, "malformed --quiet --window 16 --duration {seconds}", 1.6,
          None, 4.5),
    Speed("call_rate", "call, 2,000 a second offered, nothing pinned", "two", FEW,
          CALL + " --window 2000 --rate 2000", 2.5, p99_rival=True, pinned=False),
]

HELD = "call --users 10000 --random --count 20000 --window 20000"
MEMORY = [
    Memory("mem_contacts", "registered contact, among 1 M", "mem", None, "register --users 1000000", 350),
    Memory("mem_ringing", "ringing call", "mem", FEW, HELD + " --rate 5000 --answer 3600000 --abandon 2000", 5120, "uas_invites"),
    Memory("mem_ended", "call kept after it ended", "mem", FEW, "call --users 10000 --random --count 40000", 2048),
    Memory("mem_dialog", "established call, for being tracked", "mem_dialog", FEW,
           HELD + " --rate 5000 --hold 3600000 --abandon 2000", 700, "uas_acks", without="mem"),
    Memory("mem_tcp", "idle registered TCP connection, contact included", "mem_tcp", None,
           "idle --transport tcp --count 15000 --window 64 --linger 3000", 1536, sample=True),
    Memory("mem_tls", "idle registered TLS connection, contact included", "mem_tls", None,
           "idle --count 4000 --window 32 --linger 3000" + TLS, 20 << 10, sample=True),
    Memory("mem_wss", "idle registered WSS connection, contact included", "mem_wss", None,
           "idle --count 4000 --window 32 --linger 3000 --transport wss", 30 << 10, sample=True),
    Memory("mem_empty", "empty server", "mem", None, None, 8 << 20),
]

FLOOR = "floor"                                       # udpecho, not a server of SIP


def find(name):
    return next((c for c in SPEED + MEMORY if c.name == name), None)
