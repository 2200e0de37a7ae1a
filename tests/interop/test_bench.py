#!/usr/bin/env python3
"""A bench command that is interrupted leaves nothing behind: no server, none of its workers, no folder.

The server is a few lines with the habits of others: its worker is deaf to SIGTERM and outlives it. The command is what all
commands of bench/ are around their work: place.place(), measure.Server, measure.start().
"""
import os, signal, sys
import harness
from harness import TOP, Process, check, free_port, wait_for

SERVER = """
import os, signal, socket, sys, time
_, port, habit, _ = sys.argv
if habit != "alone" and os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", int(port)))
while True:
    _, peer = s.recvfrom(4096)
    if habit != "mute":
        s.sendto(b"SIP/2.0 200 OK\\r\\n\\r\\n", peer)
"""

COMMAND = """
import signal, subprocess, sys, time
_, server, port, habit, bench, mark = sys.argv
for n in (signal.SIGINT, signal.SIGHUP):                    # ignored where the tests run in the background
    signal.signal(n, signal.SIG_DFL)
sys.path.insert(0, bench)
import measure, place
argv = [sys.executable, "-c", server, port, habit, mark]
with place.place("interrupted-"):
    if habit == "forgotten":
        measure.start(argv, None, subprocess.DEVNULL)
        print('{"event": "started"}', flush=True)
        time.sleep(600)
    server = measure.Server(argv, int(port))
    try:
        print('{"event": "started"}', flush=True)
        time.sleep(600)
    finally:
        server.stop()
"""


def alive(mark):
    """the processes with this word among their arguments"""
    def says(pid):
        return mark.encode() in open("/proc/%s/cmdline" % pid, "rb").read().split(b"\0")
    out = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            out += [int(pid)] if says(pid) else []
        except OSError:
            pass
    return out


def interrupted(place, habit, *signals):
    """the status of a command that gets these signals; each after the first once a process of it has gone"""
    mark, temporary = "%s-%s-%s" % (place.folder, habit, "-".join(s.name for s in signals)), place.path("tmp")
    os.makedirs(temporary, exist_ok=True)
    p = Process(place, habit, sys.executable, "-c", COMMAND, SERVER, free_port(), habit, os.path.join(TOP, "bench"), mark,
                env={"TMPDIR": temporary})
    everybody = 2 if habit == "alone" else 3
    try:
        wait_for(lambda: len(alive(mark)) == everybody, "command, server and worker")
        if habit != "mute":                                 # that one never says that it is ready
            p.wait_event(event="started")
        for s in signals:
            p.signal(s)
            wait_for(lambda: len(alive(mark)) < everybody, "%s to end something" % s.name)
        status = p.wait()
        wait_for(lambda: not alive(mark), "everybody to be gone")
        if signal.SIGKILL not in signals:
            check(not os.listdir(temporary), "it left %s", os.listdir(temporary))
        return status
    finally:
        for pid in alive(mark):
            os.kill(pid, signal.SIGKILL)


def a_signal_ends_server_and_workers(place):
    """SIGTERM is timeout's, SIGINT the keyboard's, SIGHUP a lost terminal's"""
    for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        status = interrupted(place, "serving", s)
        check(status == 128 + s, "%s: it ended with %s", s.name, status)


def a_second_signal_does_not_end_the_cleaning_up(place):
    """timeout signals its child, then the group the child is in; fingers are impatient"""
    status = interrupted(place, "serving", signal.SIGTERM, signal.SIGINT)
    check(status == 128 + signal.SIGTERM, "it ended with %s", status)


def a_server_that_is_not_ready_ends_too(place):
    status = interrupted(place, "mute", signal.SIGTERM)
    check(status == 128 + signal.SIGTERM, "it ended with %s", status)


def what_nobody_waits_for_ends_too(place):
    """the signal came between a start and the try behind it"""
    status = interrupted(place, "forgotten", signal.SIGTERM)
    check(status == 128 + signal.SIGTERM, "it ended with %s", status)


def a_command_that_is_killed_takes_its_server_along(place):
    status = interrupted(place, "alone", signal.SIGKILL)
    check(status == -signal.SIGKILL, "it ended with %s", status)


if __name__ == "__main__":
    harness.run(a_signal_ends_server_and_workers, a_second_signal_does_not_end_the_cleaning_up, a_server_that_is_not_ready_ends_too,
                what_nobody_waits_for_ends_too, a_command_that_is_killed_takes_its_server_along)
