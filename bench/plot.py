"""Plots as SVG, by hand: bars of one value for each of two servers, and lines over a logarithmic scale."""
from xml.sax.saxutils import escape

BLUE, GREY, GRID, INK = "#2f6fb5", "#b3b3b3", "#dddddd", "#333333"
FONT = 'font-family="sans-serif" font-size="12" fill="%s"' % INK
LINES = [BLUE, "#c4622d", "#3c8d5a", "#7b5aa6", "#8a8a8a"]


def text(x, y, s, anchor="start", extra=""):
    return '<text x="%.1f" y="%.1f" text-anchor="%s" %s%s>%s</text>' % (x, y, anchor, FONT, extra, escape(s))


def rect(x, y, w, h, colour):
    return '<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>' % (x, y, w, h, colour)


def line(x1, y1, x2, y2, colour=GRID):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>' % (x1, y1, x2, y2, colour)


def svg(width, height, parts):
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">\n' % (width, height, width, height)
            + "\n".join([rect(0, 0, width, height, "white")] + parts) + "\n</svg>\n")


def step(top):
    """a round distance between grid lines, five to ten of them"""
    for base in (0.01, 0.1, 1, 10, 100, 1000, 10000):
        for k in (1, 2, 5):
            if top / (base * k) <= 8:
                return base * k
    return top


def ticks(top):
    s = step(top)
    return [s * i for i in range(int(top / s) + 1)]


def bars(title, rows, names=("tandem", "Kamailio")):
    """rows: (label, value, rival's value, floor or None), drawn from the top"""
    left, right, head, pitch, bar = 150, 60, 62, 42, 14
    width, height = 820, head + pitch * len(rows) + 34
    top = max(max(r[1], r[2]) for r in rows)
    scale = (width - left - right) / top
    out = [text(12, 22, title, extra=' font-weight="bold"')]
    for i, (name, colour) in enumerate(zip(names, (BLUE, GREY))):
        out += [rect(left + 110 * i, 34, 12, 12, colour), text(left + 17 + 110 * i, 44, name)]
    out += [line(left + 228, 34, left + 228, 47, INK), text(left + 237, 44, "floor: the same datagrams, echoed")]
    for v in ticks(top):
        out += [line(left + v * scale, head - 6, left + v * scale, height - 30), text(left + v * scale, height - 14, "%g" % v, "middle")]
    for i, (label, ours, theirs, floor) in enumerate(rows):
        y = head + pitch * i
        out += [text(left - 8, y + bar + 4, label, "end"), rect(left, y, ours * scale, bar, BLUE),
                text(left + ours * scale + 5, y + 11, "%.1f" % ours), rect(left, y + bar + 1, theirs * scale, bar, GREY),
                text(left + theirs * scale + 5, y + bar + 12, "%.1f" % theirs)]
        if floor:
            out.append(line(left + floor * scale, y - 2, left + floor * scale, y + 2 * bar + 3, INK))
    return svg(width, height, out)


def human(n):
    return "%g M" % (n / 1e6) if n >= 1e6 else "%g k" % (n / 1e3) if n >= 1e3 else "%g" % n


def lines(title, xlabel, series):
    """series: {name: [(x, y), …]}; x is drawn logarithmically, y from zero"""
    import math
    left, right, head, foot, width, height = 60, 30, 60, 50, 820, 380
    xs = sorted({x for points in series.values() for x, _ in points})
    low, high = math.log10(xs[0]), math.log10(xs[-1])
    top = 1.1 * max(y for points in series.values() for _, y in points)
    at = lambda x, y: (left + (math.log10(x) - low) / ((high - low) or 1) * (width - left - right),
                       height - foot - y / top * (height - head - foot))
    out = [text(12, 22, title, extra=' font-weight="bold"')]
    for v in ticks(top):
        out += [line(left, at(xs[0], v)[1], width - right, at(xs[0], v)[1]), text(left - 8, at(xs[0], v)[1] + 4, "%g" % v, "end")]
    out += [text(at(x, 0)[0], height - foot + 18, human(x), "middle") for x in xs] + [text(width / 2, height - 10, xlabel, "middle")]
    for i, (name, points) in enumerate(series.items()):
        colour = LINES[i % len(LINES)]
        out += [rect(left + 150 * i, 34, 12, 12, colour), text(left + 17 + 150 * i, 44, name)]
        out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>' % (
            " ".join("%.1f,%.1f" % at(x, y) for x, y in points), colour))
        out += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (*at(x, y), colour) for x, y in points]
    return svg(width, height, out)
