#!/usr/bin/env python3
"""Phones that sleep (RFC 8599): a program in front of a push service, which is an HTTP server of Python's, wakes tandem's own phone."""
import http.server, json, threading
import harness
from harness import DOMAIN, HOST, Server, answering, check, free_port, tandem, wait_for

USERS = {"alice": "alice-secret-1", "bob": "bob-secret-2"}


class PushService:
    """keeps what it is told, and runs `wake` for it"""

    def __init__(self, status, wake=None):
        told = self.told = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(status)
                self.end_headers()
                if wake:
                    threading.Thread(target=wake).start()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
        self.url = "http://%s:%d/wake" % self.server.server_address
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def asleep(place, server):
    """bob registers by TCP, says how he can be woken, and is gone"""
    contact = "sip:bob@%s:%d;transport=tcp;pn-provider=acme;pn-prid=bob%%2F1;pn-param=app" % (HOST, free_port())
    r = tandem(place, "register", *server.account("bob", "tcp"), "--once", "--contact", contact, env={"PW": USERS["bob"]})
    check(r.returncode == 0, "register: %d %s", r.returncode, r.stderr)


def text(place, server, status):
    r = tandem(place, "message", "bob@" + DOMAIN, "hello", *server.account("alice"), env={"PW": USERS["alice"]})
    check(r.returncode == status, "message: %d %s%s", r.returncode, r.stdout, r.stderr)
    return r


def woken(place):
    """the message waits for the phone, which registers when it is told to"""
    phones = []
    service = PushService(202, lambda: phones.append(answering(place, server, "bob")))
    server = Server(place, users=USERS, config="push: {url: \"%s\", providers: [acme]}\n" % service.url)
    asleep(place, server)
    text(place, server, 0)
    check(phones[0].wait_event(event="message")["text"] == "hello", "bob got something else")
    check(len(service.told) == 1, "told: %s", service.told)
    t = service.told[0]
    call_id = t.pop("call_id")
    check(t == {"event": "message", "user": "bob@" + DOMAIN, "provider": "acme", "param": "app", "prid": "bob/1",
                                     "from": "sip:alice@" + DOMAIN}, "told: %s", t)
    [story] = server.lines("why", call_id)
    check(any("a push by acme is to wake it" in s["text"] for s in story["steps"]), "why: %s", story)
    for p in phones:
        p.stop()
    server.stop()
    service.stop()


def not_woken(place):
    """a service that refuses: nobody waits; a service that is not there: neither"""
    service = PushService(500)
    server = Server(place, users=USERS, config="push: {url: \"%s\"}\n" % service.url)
    asleep(place, server)
    check("480" in text(place, server, 3).stderr, "refused")
    [story] = server.lines("why", "last")
    check(story["outcome"] == "push-failed" and service.url in story["what"], "why: %s", story)
    service.stop()
    check("480" in text(place, server, 3).stderr, "not there")
    check(len(service.told) == 1, "told: %s", service.told)
    server.stop()


if __name__ == "__main__":
    harness.run(woken, not_woken)
