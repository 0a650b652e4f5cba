"""Broken specifications by the thousand: whatever the text, an error of heatpg or a specification comes out, soon.

By hand: ``python tests/batch/fuzz_spec.py 1000000 SEED`` runs a million of them and prints the slowest.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from heatpg.batch.spec import read_spec
from heatpg.errors import HeatpgError

SECONDS = 1.0
BYTES = 200 * 2**20

SEED_TEXTS = (
    """[batch]
name = "a"
[landscape]
source = "two_bumps"
size = 33
half_distance = 1.0
[evolve]
sigma = [0.1, 0.3]
solver = "implicit"
solver_options = {steps = 8}
[storage]
mode = "compact"
tolerance = 1e-8
[sweep.product]
"landscape.width" = [0.2, 0.4]
evolve.checks = ["none", "full"]
[sweep.zip]
"landscape.dimensions" = [1, 2]
"evolve.sigma" = [{first = 0.1, last = 2.0, count = 4}, {x1 = [0.1, 0.2], x2 = 0.5}]
[[task]]
[[task]]
"landscape.size" = 65
""",
    """landscape.source = 'double_pendulum'
landscape.state = [3.1, 0.1, 0.0, 0.0] # up
evolve.sigma = 1
evolve.tolerance = 1e-6
sweep.product."landscape.gamma" = [
  0.9,
  1,
]
""",
)
WORDS = (
    *("[", "]", "[[", "]]", "{", "}", "=", ".", ",", '"', "'", '"""', "#", "\n", "\r\n", "\t", " ", "\\", "\x00"),
    *(
        "nan",
        "inf",
        "-inf",
        "1e400",
        "-0.0",
        "0x" + "f" * 300,
        "9" * 5000,
        "9223372036854775808",
        "1_0",
        "true",
        "none",
    ),
    *("1979-05-27T07:32:00Z", "07:32:00", "1979-05-27", '"\\ud800"', '"\\u0000"', '"\\U0001F600"', "é", "\ufeff", "漢"),
    *(
        "landscape",
        "evolve",
        "storage",
        "sweep",
        "task",
        "batch",
        "product",
        "zip",
        "source",
        "sigma",
        "solver",
        "size",
    ),
    *("solver_options", "tolerance", "prefer", "checks", "mode", "compression", "boundary", "file.npy", "/dev/zero"),
    *("cosine", "quadrotor", "auto", "stabilized", "clip", "{first = 1, last = 2, count = 3}", "[1, [2]]", "{a.b = 1}"),
    *("[" * 2000, "{a=" * 500, "a." * 5000 + "a = 1", '"a=".' * 3000 + "a = 1", "[" + "0," * 3000 + "]", "x" * 5000),
)


def mutated(random_numbers: random.Random) -> bytes:
    """A specification with a few things done to it."""
    text = random_numbers.choice(SEED_TEXTS)
    for _ in range(random_numbers.choice((0, 1, 1, 2, 3, 8))):
        start = random_numbers.randrange(len(text) + 1)
        stop = min(len(text), start + random_numbers.choice((0, 0, 1, 3, 20)))
        kind = random_numbers.randrange(6)
        if kind == 0:
            text = text[:start] + text[stop:]
        elif kind == 1:
            text = text[:start] + random_numbers.choice(WORDS) + text[stop:]
        elif kind == 2:  # another value
            lines = text.split("\n")
            i = random_numbers.randrange(len(lines))
            key, equals, _ = lines[i].partition("=")
            lines[i] = f"{key}{equals} {random_numbers.choice(WORDS)}" if equals else random_numbers.choice(WORDS)
            text = "\n".join(lines)
        elif kind == 3:
            lines = text.split("\n")
            random_numbers.shuffle(lines)
            text = "\n".join(lines)
        elif kind == 4:  # another number
            digits = [i for i, letter in enumerate(text) if letter.isdigit()]
            if digits:
                i = random_numbers.choice(digits)
                text = text[:i] + random_numbers.choice(("0", "-1", "7", "1e9", "999", ".5", "")) + text[i + 1 :]
        else:
            text = text + text[start:stop]
    content = text.encode("utf-8", errors="surrogatepass")
    if random_numbers.randrange(10) == 0 and content:
        i = random_numbers.randrange(len(content))
        content = content[:i] + bytes([random_numbers.randrange(256)]) + content[i + 1 :]
    return content


def one(content: bytes, path: Path) -> str:
    """Read one specification and write its tasks out; how it ended. Anything but an error of heatpg is raised."""
    path.write_bytes(content)
    try:
        spec = read_spec(path)
        if spec.count <= 1000:
            spec.tasks()
    except HeatpgError as reason:
        str(reason)
        return type(reason).__name__
    return "read"


def run(count: int, seed: int) -> Iterator[tuple[bytes, str, float]]:
    """So many specifications, how each ended, and how much of the processor's time it took."""
    random_numbers = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spec.toml"
        for _ in range(count):
            content = mutated(random_numbers)
            begin = time.process_time()
            ended = one(content, path)
            yield content, ended, time.process_time() - begin


def main(count: int, seed: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ends: dict[str, int] = {}
    slowest = (0.0, b"")
    for content, ended, seconds in run(count, seed):
        ends[ended] = ends.get(ended, 0) + 1
        slowest = max(slowest, (seconds, content))
        if seconds > SECONDS:
            print(f"{seconds:.2f} s: {content!r}")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{count:,} specifications: {ends}; slowest {slowest[0]:.3f} s; memory grown by {grown:.0f} MiB")
    print(slowest[1][:300])


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
