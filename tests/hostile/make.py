"""Makes the hostile corpus: `make.py FOLDER`. Needs Python's standard library and `ffmpeg`.

Writes the seeds (`seed.*`), a file for each case of `cases.tsv`, and `list.tsv`: file, expected
codes, what it is. A case without a file, or a file without a case, is an error.
"""

import sys
from pathlib import Path

import containers
import movies
import pictures
import seeds
import texts

# Shares of a file at which it is cut, and bytes.
SHARES = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9]
HOLE_BYTES = 10**10


def cut(seed: bytes) -> list[bytes]:
    """The start of a file, to ten points."""
    points = [8, 40, *(int(len(seed) * share) for share in SHARES), len(seed) - 1]
    return [seed[:point] for point in sorted(points)]


def table() -> dict[str, tuple[str, str]]:
    """Expected codes and words, by case."""
    path = Path(__file__).with_name("cases.tsv")
    rows = [line.split("\t") for line in path.read_text().splitlines()[1:]]
    return {name: (expected, what) for name, expected, what in rows}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    seed = seeds.make(folder)
    made, rows = {}, {}
    for part in (texts, movies, containers, pictures):
        made |= part.cases(seed)
    cases = table()
    for name, data in seed.items():
        case = f"cut-{name}"
        made |= {f"{case}-{n}.bin": part for n, part in enumerate(cut(data))}
        row = cases.pop(case, None)
        rows |= {f"{case}-{n}.bin": row for n in range(10)} if row else {}
    for name, data in made.items():
        (folder / name).write_bytes(data)
    hole = "mp4-hole-of-10-gb.mp4"
    movies.write_sparse(folder / hole, seed["index-last.mp4"], HOLE_BYTES)
    rows |= cases
    unlike = rows.keys() ^ {*made, hole}
    if unlike:
        sys.exit(f"cases.tsv and the files differ: {sorted(unlike)}")
    lines = ["\t".join([name, *row]) for name, row in rows.items()]
    (folder / "list.tsv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
