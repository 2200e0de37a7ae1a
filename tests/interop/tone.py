#!/usr/bin/env python3
"""Tones in sound files: writes one, or tells whether one is to be heard.

  tone.py make FILE.wav --freq 440 --seconds 3 [--rate 8000]
  tone.py find FILE.wav --freq 440             exit status 0 when that tone dominates, 1 when not

Files are mono WAV with 16 bit samples. A tone is "found" when most of the non-silent blocks of 40 ms carry most of their energy
at its frequency (Goertzel's algorithm): that survives G.711, silence before the other side spoke, and a lost packet.
"""
import argparse, array, math, sys, wave

BLOCK_MS = 40
SILENCE = 200.0         # root mean square of a block, of 32767
WANTED_SECONDS = 0.5    # this much sound at least


def make(path, freq, seconds, rate=8000, level=0.3):
    n = int(rate * seconds)
    step = 2 * math.pi * freq / rate
    samples = array.array("h", (int(32767 * level * math.sin(step * i)) for i in range(n)))
    if sys.byteorder == "big":
        samples.byteswap()
    with wave.open(path, "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(rate)
        w.writeframes(samples.tobytes())


def read(path):
    """(rate, samples) of the first channel"""
    with wave.open(path, "rb") as w:
        if w.getsampwidth() != 2:
            raise ValueError("%s: %d byte samples, want 2" % (path, w.getsampwidth()))
        data = w.readframes(w.getnframes())
        rate, channels = w.getframerate(), w.getnchannels()
    samples = array.array("h", data[:len(data) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    return rate, samples[::channels]


def share(block, freq, rate):
    """the share of a block's energy that lies at freq: 1 for a pure tone, near 0 without it"""
    total = sum(x * x for x in block)
    if not total:
        return 0.0
    c = 2 * math.cos(2 * math.pi * freq / rate)
    s1 = s2 = 0.0
    for x in block:
        s1, s2 = x + c * s1 - s2, s1
    power = s1 * s1 + s2 * s2 - c * s1 * s2
    return 2 * power / (len(block) * total)


def measure(path, freq):
    """(seconds of sound, share of that which is the tone)"""
    rate, samples = read(path)
    n = rate * BLOCK_MS // 1000
    loud = hits = 0
    for i in range(0, len(samples) - n + 1, n):
        block = samples[i:i + n]
        if math.sqrt(sum(x * x for x in block) / n) < SILENCE:
            continue
        loud += 1
        hits += share(block, freq, rate) > 0.7
    return loud * BLOCK_MS / 1000, hits / loud if loud else 0.0


def find(path, freq):
    """(found, why in words)"""
    try:
        seconds, part = measure(path, freq)
    except (OSError, EOFError, ValueError, wave.Error) as e:
        return False, "%s: %s" % (path, e)
    return (seconds >= WANTED_SECONDS and part >= 0.8,
            "%s: %.2f s of sound, %.0f %% of it %g Hz" % (path, seconds, part * 100, freq))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("what", choices=["make", "find"])
    ap.add_argument("file")
    ap.add_argument("--freq", type=float, required=True)
    ap.add_argument("--seconds", type=float, default=3)
    ap.add_argument("--rate", type=int, default=8000)
    a = ap.parse_args()
    if a.what == "make":
        make(a.file, a.freq, a.seconds, a.rate)
        return 0
    ok, why = find(a.file, a.freq)
    print(why)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
