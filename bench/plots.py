"""Plots as SVG, drawn by gnuplot: panels over one kind of x, lines with the range of the rounds as bars."""

import collections
import math
import shutil
import subprocess

PACKAGE = "gnuplot-nox"
DEADLINE_S = 60
PANEL_WIDTH, PANEL_HEIGHT = 380, 260
COLUMNS = 2
DECADES_MIN = 1.5  # of y, from which on a logarithmic scale shows more
COLOURS = ("#1f5fa8", "#c2571a", "#2c7a3f")

# lines: label -> [(x, median, lowest, highest)]
Panel = collections.namedtuple("Panel", "title unit lines")


def missing():
    """Why nothing can be drawn here; nothing: it can."""
    return "" if shutil.which("gnuplot") else f"no gnuplot: apt-get install {PACKAGE}"


def short(number):
    """1000 is 1 K, 2500000 is 2.5 M."""
    for size, letter in ((1_000_000, " M"), (1_000, " K")):
        if number >= size:
            return f"{number / size:g}{letter}"
    return f"{number:g}"


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def spans_decades(values):
    positive = [value for value in values if value > 0]
    return len(positive) == len(values) > 0 and math.log10(max(values) / min(values)) >= DECADES_MIN


def panel_commands(panel, number, x_label):
    points = [point for line in panel.lines.values() for point in line]
    xs = sorted({point[0] for point in points})
    commands = [f"set title {quoted(panel.title)}", f"set xlabel {quoted(x_label)}", f"set ylabel {quoted(panel.unit)}",
                "set xtics (" + ", ".join(f"{quoted(short(x))} {x}" for x in xs) + ")"]
    if spans_decades(xs):
        commands += ["set logscale x 10", f"set xrange [{xs[0] / 1.5}:{xs[-1] * 1.5}]"]
    else:
        commands += ["unset logscale x", f"set xrange [{xs[0] - 0.5}:{xs[-1] + 0.5}]"]
    if spans_decades([point[1] for point in points]):
        commands += ["set logscale y 10", "set yrange [*:*]"]
    else:
        commands += ["unset logscale y", f"set yrange [0:{max(point[3] for point in points) * 1.15 or 1}]"]
    drawn = []
    for index, (label, line) in enumerate(panel.lines.items()):
        commands.append(f"$line{number}_{index} << END")
        commands += [" ".join(f"{value:.6g}" for value in point) for point in line]
        commands.append("END")
        title = f"title {quoted(label)}" if len(panel.lines) > 1 else "notitle"
        drawn.append(f"$line{number}_{index} using 1:2:3:4 with yerrorlines lc rgb '{COLOURS[index % len(COLOURS)]}' lw 1.5 pt 7 ps 0.4 {title}")
    return commands + ["plot " + ", ".join(drawn)]


def draw(path, title, x_label, panels):
    """One file: `panels` in rows of two under `title`."""
    panels = [panel for panel in panels if any(panel.lines.values())]
    if not panels:
        return
    columns = min(COLUMNS, len(panels))
    rows = (len(panels) + columns - 1) // columns
    commands = [f"set terminal svg size {PANEL_WIDTH * columns},{PANEL_HEIGHT * rows + 30} dynamic font 'sans-serif,11' background '#ffffff'",
                f"set output {quoted(str(path))}", f"set multiplot layout {rows},{columns} title {quoted(title)} noenhanced",
                "set grid ytics lc rgb '#d8d8d8'", "set border 3 lc rgb '#606060'", "set tics nomirror",
                "set key tmargin center horizontal noenhanced samplen 2",
                "set format y '%.10g'",
                "set title noenhanced", "set xlabel noenhanced", "set ylabel noenhanced"]
    for number, panel in enumerate(panels):
        commands += panel_commands(panel, number, x_label)
    commands.append("unset multiplot")
    done = subprocess.run(["gnuplot"], input="\n".join(commands) + "\n", capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    if done.returncode != 0:
        raise SystemExit(f"gnuplot: {done.stderr.strip()}")
