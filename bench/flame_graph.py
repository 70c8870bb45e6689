"""Folded stacks as a flame graph: one SVG without scripts, the share and the samples of a frame in its <title>.

Node holds the tree: add(stack, count) with the outermost frame first, then svg(root, title).
Frames below SHARE_MIN of all samples are drawn as one, with the frames above them left out.
"""

import html

WIDTH, ROW, MARGIN, HEAD = 1200, 17, 10, 46
SHARE_MIN = 0.005
CHARACTER_WIDTH = 6.3
COLOURS = {"kernel": "#e8a08c", "ours": "#9cc4e4", "asio": "#c9b7e2", "library": "#b5d6a7", "thread": "#dddddd"}
MEANING = {"kernel": "kernel", "ours": "orbitalreg", "asio": "Boost.Asio", "library": "other libraries", "thread": "thread"}


class Node:
    def __init__(self, name="", kind="thread"):
        self.name = name
        self.kind = kind
        self.count = 0
        self.children = {}

    def add(self, stack, count=1):
        """`stack`: (name, kind) of each frame, the outermost first."""
        node = self
        node.count += count
        for name, kind in stack:
            node = node.children.setdefault((name, kind), Node(name, kind))
            node.count += count

    def shown(self, least):
        """The children that are drawn: those large enough by name, then what the small ones are together."""
        large = sorted((child for child in self.children.values() if child.count >= least), key=lambda child: child.name)
        rest = [child for child in self.children.values() if child.count < least]
        together = sum(child.count for child in rest)
        if together >= least:
            merged = Node(f"{len(rest)} small ones", "thread")
            merged.count = together
            large.append(merged)
        return large

    def depth(self, least):
        return 1 + max((child.depth(least) for child in self.shown(least)), default=0)


def wide(count, total):
    return (WIDTH - 2 * MARGIN) * count / total


def draw(node, total, left, bottom, least, lines):
    width = wide(node.count, total)
    room = int((width - 6) / CHARACTER_WIDTH)
    label = node.name if len(node.name) <= room else node.name[:room - 2] + ".." if room >= 5 else ""
    title = f"{node.name}: {100 * node.count / total:.1f} %, {node.count} samples"
    text = f'<text x="{left + 3:.1f}" y="{bottom - 5}">{html.escape(label)}</text>' if label else ""
    lines.append(f'<g><title>{html.escape(title)}</title><rect x="{left:.1f}" y="{bottom - ROW}" width="{max(width - 0.6, 0.4):.1f}" height="{ROW - 1}" '
                 f'fill="{COLOURS[node.kind]}"/>{text}</g>')
    for child in node.shown(least):
        draw(child, total, left, bottom - ROW, least, lines)
        left += wide(child.count, total)


def svg(root, title):
    """The outermost frames at the bottom; `root` is all samples."""
    least = max(root.count * SHARE_MIN, 1)
    height = HEAD + root.depth(least) * ROW + MARGIN
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="monospace" font-size="10.5">',
             f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>', f'<text x="{MARGIN}" y="18" font-size="14">{html.escape(title)}</text>']
    left = MARGIN
    for kind, meaning in MEANING.items():
        lines.append(f'<rect x="{left}" y="27" width="11" height="11" fill="{COLOURS[kind]}"/><text x="{left + 15}" y="37">{html.escape(meaning)}</text>')
        left += 40 + len(meaning) * CHARACTER_WIDTH
    draw(root, root.count, MARGIN, height - MARGIN, least, lines)
    return "\n".join(lines + ["</svg>", ""])
