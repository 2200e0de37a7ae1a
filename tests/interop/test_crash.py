#!/usr/bin/env python3
"""kill -9 in the middle of a stream of REGISTERs, again and again: what was answered 200 is there after the restart.

Some REGISTERs are of new addresses, some move a known one to a new contact. What was sent and not answered may have been kept or not;
what was answered must be as answered, or as a later REGISTER of that address wanted it. How long the restarted server takes until it
answers OPTIONS is measured from the start of the process.
"""
import collections, random, time
import harness, sip
from harness import HOST, DOMAIN, Server, check

ROUNDS = 50
WINDOW = 48             # REGISTERs on the way at once
SERVES_MS = 5000        # a second is what is wanted; tests run on machines that do other things too


class Stream:
    """REGISTERs one after the other, and what is known of each address"""

    def __init__(self, server, seed):
        self.random = random.Random(seed)
        self.client = sip.Client(server)
        self.acked = {}                                     # user: number of the contact that was answered 200
        self.sent = collections.defaultdict(set)            # user: numbers sent after that one
        self.cseq = collections.Counter()
        self.waiting = {}                                   # branch: (user, number)
        self.answers = 0

    def contact(self, user, number):
        return "sip:%s@%s:%d" % (user, HOST, 10000 + number)

    def send_one(self):
        known = [u for u in self.random.sample(sorted(self.acked), min(3, len(self.acked))) if not self.sent[u]]
        if known and self.random.random() < 0.4:
            user = known[0]
        else:
            user = "u%d" % len(self.cseq)
        self.cseq[user] += 1
        number = self.cseq[user]
        lines = ["Contact: <%s>;expires=600" % self.contact(user, number)]
        if user in self.acked:
            lines.append("Contact: <%s>;expires=0" % self.contact(user, self.acked[user]))
        branch, data = self.client.request("REGISTER", "sip:" + DOMAIN, "sip:%s@%s" % (user, DOMAIN), cseq=number,
                                           call_id="crash-" + user, extra=lines)
        self.sent[user].add(number)
        self.waiting[branch] = (user, number)
        self.client.send(data)

    def take(self, seconds):
        r = self.client.receive(seconds)
        if not r:
            return False
        if r.branch in self.waiting:
            user, number = self.waiting.pop(r.branch)
            check(r.status == 200, "REGISTER of %s was answered %d %s", user, r.status, r.reason)
            self.acked[user] = number
            self.sent[user] = {n for n in self.sent[user] if n > number}
            self.answers += 1
        return True

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            while len(self.waiting) < WINDOW:
                self.send_one()
            self.take(0.01)

    def drain(self):
        """what came before the kill counts; what did not come may or may not be there"""
        while self.take(0):
            pass
        self.waiting.clear()

    def compare(self, rows):
        there = collections.defaultdict(set)
        for row in rows:
            there[row["aor"].split("@")[0]].add(row["contact"])
        for user, number in self.acked.items():
            good = [{self.contact(user, n)} for n in {number} | self.sent[user]]
            check(there[user] in good, "%s was answered 200 with contact %d, and has %s (later ones sent: %s)", user, number,
                  sorted(there[user]), sorted(self.sent[user]))
        # What was on the way is settled now: go on from what is there.
        for user in [u for u in self.sent if self.sent[u]]:
            now = [int(c.rsplit(":", 1)[1]) - 10000 for c in there[user]]
            self.sent[user] = set()
            if now:
                self.acked[user] = now[0]


def answers_after_ms(server, client):
    start = time.monotonic()
    server.start(wait=False)
    uri = "sip:%s" % server.address
    r = client.ask(*client.request("OPTIONS", uri, "sip:probe@" + DOMAIN, to=uri), seconds=30, again=0.01)
    check(r and r.status == 200, "no answer to OPTIONS after the restart")
    return (time.monotonic() - start) * 1000


# Proves RFC 3261 §10.3-13.
def what_was_answered_survives_kill_9(place):
    seed = random.randrange(1 << 30)
    print("# seed %d" % seed, flush=True)
    server = Server(place, trust="any", config="log: warn\n")
    stream = Stream(server, seed)
    probe = sip.Client(server)
    took = []
    for n in range(ROUNDS):
        stream.run(stream.random.uniform(0.02, 0.2))
        server.kill()
        stream.drain()
        took.append(answers_after_ms(server, probe))
        stream.compare(server.registrations())
    server.stop()
    took.sort()
    check(took[-1] < SERVES_MS, "the slowest restart answered after %.0f ms", took[-1])
    check(stream.answers > ROUNDS * 5, "only %d REGISTERs were answered: that is no stream", stream.answers)
    return "%d answered, %d addresses, %d kills; serves again after %.0f ms (median), %.0f ms at most" % (
        stream.answers, len(stream.acked), ROUNDS, took[len(took) // 2], took[-1])


def clean_stop_keeps_everything(place):
    server = Server(place, trust="any")
    stream = Stream(server, 1)
    stream.run(0.2)
    server.stop()
    stream.drain()
    server.start()
    stream.compare(server.registrations())


if __name__ == "__main__":
    harness.run(what_was_answered_survives_kill_9, clean_stop_keeps_everything)
