"""From measured points to figures: upper envelope, interpolation, medians, a table, curves as SVG."""
import math
from statistics import median

LEVELS = (0.95, 0.99)


def envelope(points):
    """The points that no other beats in recall and speed, by rising recall. Points are (recall, queries per second)."""
    best = []
    for point in sorted(set(points), reverse=True):
        if not best or point[1] > best[-1][1]:
            best.append(point)
    return best[::-1]


def at_recall(points, level):
    """Queries per second at that recall, on a straight line between the two nearest points of the envelope. None when
    the recall was not reached; the first point's speed when even that one has more recall."""
    line = envelope(points)
    if not line or line[-1][0] < level:
        return None
    if line[0][0] >= level:
        return line[0][1]
    for (r0, q0), (r1, q1) in zip(line, line[1:]):
        if r1 >= level:
            return q0 + (q1 - q0) * (level - r0) / (r1 - r0)
    return None


def of_rounds(rounds, level):
    """For a series (a list of rounds, each a list of points): queries per second at the level, round by round."""
    return [at_recall(points, level) for points in rounds]


def middle(values):
    """The median; None when one of them is missing, as a series that misses a recall sometimes has no figure there."""
    return None if not values or any(v is None for v in values) else median(values)


def median_points(rounds):
    """One curve of several rounds: the settings are the same in each, so points are matched by their place."""
    length = min(len(points) for points in rounds)
    return [(median(p[i][0] for p in rounds), median(p[i][1] for p in rounds)) for i in range(length)]


def best_peer(series, level, number):
    """Speed of the fastest peer at the level in that round."""
    values = [at_recall(s["rounds"][number], level) for s in series if s["peer"]]
    return max((v for v in values if v is not None), default=None)


def summarise(series):
    """Adds to each series: medians at the levels, and for VecStore's the median of the rounds' ratios to the best peer
    (of the same round: the machine's pace is the same for both)."""
    for s in series:
        s["at"] = {str(level): middle(of_rounds(s["rounds"], level)) for level in LEVELS}
        if s["peer"]:
            continue
        s["ratio"] = {}
        for level in LEVELS:
            pairs = [(at_recall(points, level), best_peer(series, level, i)) for i, points in enumerate(s["rounds"])]
            s["ratio"][str(level)] = middle([None if a is None or b is None else a / b for a, b in pairs])


def table(series):
    head = ["index", "build s", "of CPU", "bytes/vector"] + [f"q/s at {level}" for level in LEVELS]
    head += [f"x best peer at {level}" for level in LEVELS]
    rows = []
    for s in sorted(series, key=lambda s: (s["peer"], -(s["at"][str(LEVELS[0])] or 0))):
        build = "-" if s.get("build_s") is None else f"{s['build_s']:.1f}" + ("*" if s.get("cached") else "")
        cpu = "-" if s.get("build_cpu_s") is None else f"{s['build_cpu_s']:.1f}"
        row = [s["name"], build, cpu, "-" if not s.get("bytes_per_vector") else f"{s['bytes_per_vector']:.0f}"]
        row += ["-" if s["at"][str(level)] is None else f"{s['at'][str(level)]:,.0f}" for level in LEVELS]
        ratios = s.get("ratio", {})
        row += ["" if s["peer"] else "-" if ratios[str(level)] is None else f"{ratios[str(level)]:.2f}"
                for level in LEVELS]
        rows.append(row)
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head)] + rows)


COLOURS = ["#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf", "#ff7f0e",
           "#393b79", "#637939", "#8c6d31", "#843c39", "#7b4173", "#3182bd", "#31a354"]


def svg(series, title, lowest=0.88):
    """Recall (linear, from `lowest` to 1) against queries per second (logarithmic)."""
    width, height, left, right, top, bottom = 900, 560, 70, 250, 40, 50
    curves = [(s, [p for p in envelope(median_points(s["rounds"])) if p[0] >= lowest]) for s in series]
    curves = [(s, line) for s, line in curves if line]
    if not curves:
        return ""
    speeds = [q for _, line in curves for _, q in line]
    low, high = math.log10(min(speeds)) - 0.05, math.log10(max(speeds)) + 0.05

    def x(recall):
        return left + (recall - lowest) / (1 - lowest) * (width - left - right)

    def y(speed):
        return top + (high - math.log10(speed)) / (high - low) * (height - top - bottom)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
           f'font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
           f'<text x="{left}" y="22" font-size="15">{escape(title)}</text>']
    for i in range(round(lowest * 100), 101):
        out.append(f'<path d="M{x(i / 100):.1f} {top}V{height - bottom}" stroke="#eee"/>')
        if i % 2 == 0:
            out.append(f'<text x="{x(i / 100):.1f}" y="{height - bottom + 18}" text-anchor="middle">{i / 100:g}</text>')
    for decade in range(math.floor(low), math.ceil(high) + 1):
        for step in (1, 2, 5):
            speed = step * 10 ** decade
            if low <= math.log10(speed) <= high:
                out.append(f'<path d="M{left} {y(speed):.1f}H{width - right}" stroke="#eee"/><text x="{left - 6}" '
                           f'y="{y(speed) + 4:.1f}" text-anchor="end">{speed:,}</text>')
    middle_x = (left + width - right) / 2
    out.append(f'<text x="{middle_x}" y="{height - 12}" text-anchor="middle">recall@10</text><text x="16" '
               f'y="{height / 2}" transform="rotate(-90 16 {height / 2})" text-anchor="middle">queries per second</text>')
    for i, (s, line) in enumerate(curves):
        colour, wide = COLOURS[i % len(COLOURS)], 1.3 if s["peer"] else 2.6
        path = "L".join(f"{x(r):.1f} {y(q):.1f}" for r, q in line)
        out.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{wide}"/>')
        out += [f'<circle cx="{x(r):.1f}" cy="{y(q):.1f}" r="{wide + 0.7}" fill="{colour}"/>' for r, q in line]
        at = top + 8 + 17 * i
        out.append(f'<path d="M{width - right + 14} {at}h22" stroke="{colour}" stroke-width="{wide}"/>'
                   f'<text x="{width - right + 42}" y="{at + 4}">{escape(s["name"])}</text>')
    return "\n".join(out + ["</svg>\n"])


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
