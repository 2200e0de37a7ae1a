#!/usr/bin/env python3
"""TLS with other people's programs and with tandem's own phone: who is believed, what is refused, certificates that change.

openssl makes the certificates of the files and speaks the versions that nobody should; baresip and linphone are ordinary phones.
"""
import os, socket, ssl
import harness, tone
from harness import DOMAIN, HOST, TANDEM, Baresip, Process, Server, answering, calling, check, make_certificate, tandem, wait_for

USERS = {"alice": "alice-secret-1", "bob": "bob-secret-2"}
OPTIONS = ("OPTIONS sip:example.test SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bK%d\r\nMax-Forwards: 70\r\n"
           "From: <sip:a@example.test>;tag=1\r\nTo: <sip:example.test>\r\nCall-ID: c%d\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")


def server_on_tls(place, **more):
    return Server(place, users=USERS, tls=True, **more)


def fingerprint(place, crt):
    r = place.run("openssl", "x509", "-in", crt, "-noout", "-fingerprint", "-sha256")
    return r.stdout.strip().split("=")[1]


def connect(server, trusted, host=HOST, certificate=None):
    """a TLS connection as Python makes one"""
    context = ssl.create_default_context(cafile=trusted)
    if certificate:
        context.load_cert_chain(*certificate)
    s = context.wrap_socket(socket.create_connection((HOST, server.tls_port), timeout=harness.PATIENCE), server_hostname=host)
    return s


def is_answered(s, n):
    s.sendall((OPTIONS % (n, n)).encode())
    return s.recv(4096).startswith(b"SIP/2.0 200")


def fingerprint_is_told(place):
    server = server_on_tls(place)
    told = fingerprint(place, server.certificate)
    check(server.ready["tls"]["fingerprint"] == told, "at the start: %s, it is %s", server.ready["tls"], told)
    status = server.lines("status")[0]["tls"]
    check(status["fingerprint"] == told and status["days_left"] > 3000, "status: %s", status)
    server.stop()
    server.start()
    check(server.ready["tls"]["fingerprint"] == told, "it changed with a restart")


def phones_call_over_tls(place):
    """one believes the fingerprint that was printed, the other the file"""
    server = server_on_tls(place)
    tone.make(place.path("440.wav"), 440, 30)
    bob = answering(place, server, "bob", "--tls-fingerprint", server.ready["tls"]["fingerprint"], "--tone", 700, "--record",
                    place.path("bob.wav"), transport="tls")
    check(server.registrations("bob")[0]["transport"] == "TLS", "%s", server.registrations())
    alice = calling(place, server, "alice", "bob", "--tls-ca", server.certificate, "--play", place.path("440.wav"), "--duration", 2,
                    transport="tls")
    check(alice.wait() == 0, "alice: %s %s", alice.output(), alice.errors())
    check(bob.wait() == 0, "bob: %s %s", bob.output(), bob.errors())
    ok, why = tone.find(place.path("bob.wav"), 440)
    check(ok, "bob heard: %s", why)
    wait_for(lambda: not server.registrations(), "bob to have taken his registration back")


def phone_comes_back(place):
    """its connection is gone with the server: it registers again over another one, and the old contact is no more"""
    server = server_on_tls(place)
    bob = Process(place, "bob", TANDEM, "register", *server.account("bob", "tls"), "--json", "--tls-ca", server.certificate, env={"PW": USERS["bob"]})
    bob.wait_event(event="registered")
    before = server.registrations("bob")[0]["contact"]
    server.stop()
    server.start()
    wait_for(lambda: [r for r in server.registrations("bob") if r["contact"] != before], "bob to be back", 60)
    check(len(server.registrations("bob")) == 1, "%s", server.registrations("bob"))
    bob.stop()


# Proves RFC 5922 §7.3-1.
def phone_says_what_is_wrong(place):
    files = make_certificate(place, "other", "other.test")
    server = server_on_tls(place, config="tls: {certificate: %s, key: %s}\n" % files)
    told = fingerprint(place, files[0])
    rows = (
        ([], ["self-signed certificate", told, "--tls-ca", "--tls-fingerprint"]),                  # signed by nobody we know
        (["--tls-ca", files[0]], ["another name", "127.0.0.1", "other.test"]),                      # believed, but for another name
        (["--tls-fingerprint", "00" * 32], ["fingerprint", told]),
    )
    for more, words in rows:
        r = tandem(place, "ping", "sip:" + DOMAIN, "--proxy", "tls:" + server.tls_address, *more)
        check(r.returncode == 4, "%s: ended with %d: %s", more, r.returncode, r.stderr)
        for word in words:
            check(word in r.stderr, "%s: nothing of \"%s\" in: %s", more, word, r.stderr)
    r = tandem(place, "ping", "sip:" + DOMAIN, "--proxy", "tls:" + server.tls_address, "--tls-fingerprint", told)
    check(r.returncode == 0, "pinned: %s", r.stderr)
    for more in (["--tls-ca", "/nonexistent"], ["--tls-fingerprint", "12"], ["--tls-ca", files[1]]):
        r = tandem(place, "ping", "sip:" + DOMAIN, "--proxy", "tls:" + server.tls_address, *more)
        check(r.returncode == 1 and more[0] in r.stderr, "%s: %d %s", more, r.returncode, r.stderr)


def t4_old_versions_and_renegotiation(place):
    server = server_on_tls(place)
    for old in ("-ssl3", "-tls1", "-tls1_1"):
        r = place.run("openssl", "s_client", "-connect", server.tls_address, old, "-cipher", "ALL:@SECLEVEL=0", stdin="Q\n")
        check(r.returncode != 0 and "Cipher is ECDHE" not in r.stdout, "%s is spoken: %s", old, r.stdout)
    r = place.run("openssl", "s_client", "-connect", server.tls_address, "-tls1_2", "-cipher", "kRSA:aNULL:RC4:3DES:CBC:@SECLEVEL=0", stdin="Q\n")
    check(r.returncode != 0, "a weak cipher is spoken: %s", r.stdout)
    r = place.run("openssl", "s_client", "-connect", server.tls_address, "-tls1_2", "-CAfile", server.certificate, stdin="R\n")
    check("RENEGOTIATING" in r.stderr + r.stdout and "no renegotiation" in r.stderr + r.stdout, "renegotiation: %s%s", r.stdout, r.stderr)
    for new in ("-tls1_2", "-tls1_3"):
        r = place.run("openssl", "s_client", "-connect", server.tls_address, new, "-CAfile", server.certificate, "-verify_return_error",
                      "-verify_hostname", DOMAIN, stdin="Q\n")
        check(r.returncode == 0 and "Verify return code: 0" in r.stdout, "%s: %s%s", new, r.stdout, r.stderr)
    check(server.alive(), "the server is gone")


def who_stays_gets_a_ticket(place):
    """RFC 8446 §4.6.1: one question costs no ticket; who asks twice can come back without a whole handshake"""
    server = server_on_tls(place)
    context = ssl.create_default_context(cafile=server.certificate)

    def visit(questions, session=None):
        with context.wrap_socket(socket.create_connection((HOST, server.tls_port), timeout=harness.PATIENCE), server_hostname=HOST,
                                 session=session) as s:
            for n in range(1, questions + 1):
                check(is_answered(s, n), "question %d", n)
            return s.session, s.session_reused

    check(not visit(1)[0].has_ticket, "a ticket for one question")
    session, reused = visit(2)
    check(session.has_ticket and not reused, "no ticket after two questions")
    session, reused = visit(2, session)
    check(reused, "the ticket opened nothing")
    check(visit(1, session)[1], "the ticket of a session that was taken up again opened nothing")


def reload_keeps_connections(place):
    one, two = make_certificate(place, "one", HOST, DOMAIN), make_certificate(place, "two", HOST, DOMAIN)
    server = server_on_tls(place, config="tls: {certificate: %s, key: %s}\n" % one)
    old = connect(server, one[0])
    check(is_answered(old, 1), "no answer before")
    server.configure(config="tls: {certificate: %s, key: %s}\n" % two)
    r = server.command("reload")
    check(r.returncode == 0, "reload: %s", r.stderr)

    def replaced():
        try:
            return connect(server, two[0])
        except ssl.SSLError:
            return None
    new = wait_for(replaced, "the new certificate")
    check(is_answered(new, 2) and is_answered(old, 3), "a connection was lost")
    server.configure(config="tls: {certificate: %s, key: %s}\n" % (two[0], one[1]))        # they do not belong together
    r = server.command("reload")
    check(r.returncode != 0 and "tandem.yaml:" in r.stderr and "does not belong" in r.stderr, "reload: %d %s", r.returncode, r.stderr)
    check(is_answered(connect(server, two[0]), 4) and is_answered(old, 5), "the old configuration does not serve")


# Proves RFC 5922 §7.4-1, §7.8-1.
def names_and_clients(place):
    """a certificate for each domain, and one that is asked of those who connect"""
    a, b, c = make_certificate(place, "a", "a.test"), make_certificate(place, "b", "b.test"), make_certificate(place, "client", "p1.test")
    server = server_on_tls(place, config="tls:\n  certificate: %s\n  key: %s\n  domains: [{name: b.test, certificate: %s, key: %s}]\n"
                                         "  ca: %s\n  clients: require\n" % (*a, *b, c[0]))
    check(is_answered(connect(server, a[0], "a.test", c), 1), "a.test")
    check(is_answered(connect(server, b[0], "b.test", c), 2), "b.test")
    for certificate in (None, a):                           # none, and one that is not believed
        try:
            check(not is_answered(connect(server, a[0], "a.test", certificate), 3), "who has none is let in")
        except (ssl.SSLError, ConnectionError):
            pass


def baresips_call_over_tls(place):
    server = server_on_tls(place)
    phones = []
    for user, pitch in (("alice", 440), ("bob", 700)):
        tone.make(place.path(user + ".wav"), pitch, 30)
        phones.append(Baresip(place, user, USERS[user], server, place.path(user + ".wav"), "tls"))
    alice, bob = phones
    for p in phones:
        p.wait_registered()
    check(all(r["transport"] == "TLS" for r in server.registrations()), "%s", server.registrations())
    for caller, callee in ((alice, bob), (bob, alice)):
        caller.dial(callee.user)
        callee.wait_event("CALL_INCOMING")
        callee.command("accept")
        caller.wait_event("CALL_ESTABLISHED")
        callee.wait_event("CALL_ESTABLISHED")
        callee.command("hangup")
        caller.wait_event("CALL_CLOSED")
    for p in phones:
        p.stop()


LINPHONE = """[sip]
sip_port=-1
sip_tcp_port=-1
sip_tls_port=-1
root_ca=%(ca)s
verify_server_certs=1
verify_server_cn=1
default_proxy=0
media_encryption=none
[rtp]
audio_rtp_port=%(rtp)d
[sound]
playback_dev_id=
[auth_info_0]
username=%(user)s
passwd=%(password)s
realm=%(domain)s
domain=%(domain)s
algorithm=SHA-256
[proxy_0]
reg_proxy=<sip:%(address)s;transport=tls>
reg_identity=sip:%(user)s@%(domain)s
reg_expires=600
reg_sendregister=1
publish=0
"""


def linphone_registers_over_tls(place):
    """with the CA trusted; and not when it is another's. By name: its TLS library knows no numeric addresses in certificates"""
    server = server_on_tls(place)
    stranger = make_certificate(place, "stranger", HOST, DOMAIN)
    for name, ca, comes in (("stranger", stranger[0], False), ("trusted", server.certificate, True)):
        os.makedirs(place.path("home-%s/.local/share/linphone" % name))
        rc = place.write("linphonerc-" + name, LINPHONE % {"ca": ca, "rtp": harness.free_port(), "user": "alice", "password": USERS["alice"],
                                                           "domain": DOMAIN, "address": "localhost:%d" % server.tls_port})
        p = Process(place, "linphone-" + name, "linphonec", "-c", rc, "-d", "4", "-l", place.path("linphone-%s.log" % name),
                    stdin=harness.subprocess.PIPE, env={"HOME": place.path("home-" + name)})
        if comes:
            wait_for(lambda: server.registrations("alice"), "linphone to be registered", 40)
            check(server.registrations("alice")[0]["transport"] == "TLS", "%s", server.registrations())
            bob = calling(place, server, "bob", "alice", "--tls-ca", server.certificate, transport="tls")
            bob.wait_event(event="ringing", seconds=40)
            bob.stop()
        else:
            wait_for(lambda: server.lines("status")[0]["tls"]["failed"] > 0, "linphone to refuse a stranger", 40)
            check(not server.registrations("alice"), "it registered with a stranger")
        p.p.stdin.write(b"quit\n")
        p.p.stdin.close()
        p.wait()


if __name__ == "__main__":
    harness.run(fingerprint_is_told, phones_call_over_tls, phone_comes_back, phone_says_what_is_wrong, t4_old_versions_and_renegotiation,
                who_stays_gets_a_ticket, reload_keeps_connections, names_and_clients, baresips_call_over_tls, linphone_registers_over_tls)
