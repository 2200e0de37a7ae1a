#!/usr/bin/env python3
"""A real browser: a page with JsSIP in Chromium registers over wss, calls a baresip on UDP and is called by it. What they say to each
other does not go through the server; who calls whom, rings, answers and hangs up does."""
import base64, hashlib
import browser, harness, tone
from browser import Browser, Pages
from harness import DOMAIN, HOST, Baresip, check, wait_for
from test_websocket import openssl, server_for

PASSWORD = {"alice": "page-phone-1", "bob": "desk-phone-2"}


def key_of(place, path):
    """what Chromium knows a certificate by: the hash of its public key"""
    pem = openssl(place, "x509", "-in", path, "-noout", "-pubkey")
    der = base64.b64decode("".join(l for l in pem.splitlines() if not l.startswith("-")))
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def phone_page(place, server, pages, url):
    page = Browser(place, pages.origin, accept=key_of(place, server.certificate))
    page.run("start('%s', 'alice', '%s', '%s')" % (url, PASSWORD["alice"], DOMAIN))
    return page


def desk_phone(place, server):
    wav = place.path("bob.wav")
    tone.make(wav, 700, 30)
    # encrypted media is all a browser speaks
    bob = Baresip(place, "bob", PASSWORD["bob"], server, wav, modules=("srtp", "dtls_srtp", "ice"),
                  account=";mediaenc=dtls_srtp;medianat=ice")
    bob.wait_registered()
    return bob


def page_calls(page, bob):
    page.run("void phone.call('sip:bob@%s', media)" % DOMAIN)
    page.wait_seen("session", **{"from": "local"})
    bob.wait_event("CALL_INCOMING")
    page.wait_seen("progress")
    bob.command("accept")
    page.wait_seen("accepted")
    page.wait_seen("confirmed")
    bob.wait_event("CALL_ESTABLISHED")


def page_is_called(page, bob):
    bob.dial("alice")
    page.wait_seen("session", **{"from": "remote"})
    bob.wait_event("CALL_RINGING")
    page.run("call.answer(media)")
    page.wait_seen("accepted")
    page.wait_seen("confirmed")         # bob's ACK
    bob.wait_event("CALL_ESTABLISHED")


# Proves RFC 7118 §5.1-1, §5.4-1, §7-1.
def a_page_calls_and_is_called(place):
    browser.needed()
    pages = Pages()
    server = server_for(place, trust=False, users=PASSWORD, config="web: {origins: [\"%s\"]}\n" % pages.origin)
    page = phone_page(place, server, pages, "wss://%s:%d" % (HOST, server.wss))
    page.wait_seen("registered")
    row = server.registrations("alice")[0]
    check(row["transport"] == "WSS" and ".invalid" in row["contact"], "registered: %s", row)
    bob = desk_phone(place, server)
    page_calls(page, bob)
    page.run("call.terminate()")
    bob.wait_event("CALL_CLOSED")
    page_is_called(page, bob)
    bob.command("hangup")
    page.wait_seen("ended", by="remote")
    page_is_called(page, bob)
    page.run("call.terminate()")
    bob.wait_event("CALL_CLOSED")
    page_calls(page, bob)
    bob.command("hangup")
    page.wait_seen("ended", by="remote")
    wait_for(lambda: not server.lines("calls"), "the server to know that all calls have ended")
    page.run("phone.unregister()")
    page.wait_seen("unregistered")
    check(not server.registrations("alice"), "still registered: %s", server.registrations("alice"))
    page.stop()
    pages.shutdown()


def t6_a_page_from_elsewhere(place):
    """T6: the browser says where the page comes from, and that is not a place that may"""
    browser.needed()
    pages = Pages()
    server = server_for(place, trust="any")
    for url in ("wss://%s:%d" % (HOST, server.wss), "ws://%s:%d" % (HOST, server.ws)):
        page = phone_page(place, server, pages, url)
        page.wait_seen("disconnected")
        check(not any(e["what"] in ("connected", "registered") for e in page.seen()), "it got in: %s", page.seen())
        page.stop()
    check(not server.registrations(), "registered: %s", server.registrations())
    check(pages.origin in server.process.errors(), "the log does not name the page's origin")
    pages.shutdown()


if __name__ == "__main__":
    harness.run(a_page_calls_and_is_called, t6_a_page_from_elsewhere)
