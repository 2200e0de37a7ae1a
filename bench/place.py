"""A temporary folder and the processes started while it stands: all of it is gone afterwards, however the command ends."""
import contextlib, shutil, signal, sys, tempfile

import measure

ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def leave(number, frame):
    """The way out leads through every `finally`. Once: timeout(1) signals its child and then the whole group, and the second
    signal must not end the cleaning up."""
    for n in ENDINGS:
        signal.signal(n, signal.SIG_IGN)
    sys.exit(128 + number)


@contextlib.contextmanager
def place(prefix):
    """the folder's path"""
    for n in ENDINGS:
        if signal.getsignal(n) != signal.SIG_IGN:       # nohup, or in the background of a script
            signal.signal(n, leave)
    folder = tempfile.mkdtemp(prefix=prefix)
    try:
        yield folder
    finally:
        measure.kill_children()
        shutil.rmtree(folder, ignore_errors=True)
