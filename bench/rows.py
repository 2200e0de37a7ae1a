"""What the runs of a case come to: a row of a table, its verdict, and the figures the plot needs."""
import statistics

SPEED_HEAD = ["case", "one operation", "floor µs", "tandem µs", "Kamailio µs", "ratio [range]", "at least", "instructions", "at most",
              "tandem/s", "Kamailio/s", "p99 ms: tandem, Kamailio", "generator", "verdict"]
MEMORY_HEAD = ["case", "of one", "tandem", "Kamailio", "ratio", "at most", "verdict"]


def flat(runs, name, key):
    return statistics.median(x[key] for r in runs[name] for x in r)


def spread(q, digits=2):
    return "%.*f [%.*f-%.*f]" % (digits, statistics.median(q), digits, min(q), digits, max(q))


def ratios(runs):
    """CPU time of an operation, Kamailio's to tandem's, round by round"""
    med = lambda r: statistics.median(x["cpu_us"] for x in r)
    return [med(k) / med(t) for t, k in zip(runs["tandem"], runs["kamailio"])]


def errors(runs, name):
    return sum(x["errors"] for r in runs[name] for x in r)


def broken(runs):
    """why the runs say nothing; empty: they do"""
    for name in ("tandem", "kamailio"):
        if errors(runs, name):
            return "%s: %d errors" % (name, errors(runs, name))
    return ""


def speed_misses(case, runs, instructions):
    """what of a row's targets was not met"""
    misses = []
    p99 = flat(runs, "tandem", "p99_ms")
    if statistics.median(ratios(runs)) < case.ratio:
        misses.append("below")
    if instructions and instructions > case.instructions:
        misses.append("instructions above")
    if case.p99_ms and p99 > case.p99_ms:
        misses.append("p99 above %g ms" % case.p99_ms)
    if case.p99_rival and p99 > flat(runs, "kamailio", "p99_ms"):
        misses.append("p99 above Kamailio's")
    return misses


def speed(case, runs, instructions, floor_us):
    """the row, and whether it passed"""
    bad = broken(runs)
    misses = [bad] if bad else speed_misses(case, runs, instructions)
    at_least = "%g×" % case.ratio + (", p99 ≤ %g ms" % case.p99_ms if case.p99_ms else ", p99 ≤ Kamailio's" if case.p99_rival else "")
    row = [case.name, case.what, "%.1f" % floor_us if floor_us else "–",
           "%.1f" % flat(runs, "tandem", "cpu_us"), "%.1f" % flat(runs, "kamailio", "cpu_us"), spread(ratios(runs)), at_least,
           "%.1f k" % (instructions / 1000) if instructions else "–", "%g k" % (case.instructions / 1000) if case.instructions else "–",
           "%.0f" % flat(runs, "tandem", "rate"), "%.0f" % flat(runs, "kamailio", "rate"),
           "%.2f, %.2f" % (flat(runs, "tandem", "p99_ms"), flat(runs, "kamailio", "p99_ms")),
           "%.0f %%" % (100 * flat(runs, "tandem", "generator_util")), "; ".join(misses) or "pass"]
    return row, not misses


def size(n):
    return "%.0f B" % n if abs(n) < 1e6 else "%.1f MiB" % (n / (1 << 20))


def memory(case, runs):
    t, k = flat(runs, "tandem", "bytes_per_op"), flat(runs, "kamailio", "bytes_per_op")
    verdict = broken(runs) or ("pass" if t <= case.at_most else "above")
    return [case.name, case.what, size(t), size(k), "%.1f" % (k / t) if t > 0 else "–", size(case.at_most), verdict], verdict == "pass"


def unsupported(case, why):
    width = len(SPEED_HEAD if hasattr(case, "ratio") else MEMORY_HEAD)
    return [case.name, case.what] + ["–"] * (width - 3) + [str(why)], False


def table(head, rows):
    w = [max(len(r[i]) for r in [head] + rows) for i in range(len(head))]
    line = lambda r: "| " + " | ".join(c.ljust(w[i]) for i, c in enumerate(r)) + " |"
    return "\n".join([line(head), "|" + "|".join("-" * (x + 2) for x in w) + "|"] + [line(r) for r in rows])
