"""The three rooms as their source says, and docs/architecture.md as tables.

`python -m tests.support.rooms` writes the lists of files in the document anew.
"""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "architecture.md"
ROOMS = ("segmentation", "adaptation", "dicomnode")


@cache
def source_files(*rooms: str) -> tuple[str, ...]:
    """Return the Python files of rooms, as paths from the root of the checkout."""
    return tuple(sorted(path.relative_to(ROOT).as_posix() for room in rooms for path in (ROOT / room).rglob("*.py")))


@cache
def parse(file: str) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def sentence_of(file: str) -> str:
    """Return the first line of a file's docstring."""
    return (ast.get_docstring(parse(file)) or "").partition("\n")[0]


def is_pure(file: str) -> bool:
    """Whether a file says that it opens nothing and reads no clock."""
    return sentence_of(file).endswith("(pure).")


def module_name(file: str) -> str:
    """Return the dotted name of a file."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported_modules(tree: ast.AST) -> set[str]:
    """Return every module that the source imports, at the top or inside a function; of `from a import b`, a and a.b."""
    nodes = list(ast.walk(tree))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return plain | {
        name for node in froms for alias in node.names for name in (node.module, f"{node.module}.{alias.name}")
    }


@cache
def imported_files(file: str) -> set[str]:
    """Return the files of the rooms that a file imports."""
    known = {module_name(each): each for each in source_files(*ROOMS) if not each.endswith("/__init__.py")}
    return {known[name] for name in imported_modules(parse(file)) if name in known}


def calls_of(file: str) -> set[str]:
    """Return the dotted names of what a file calls."""
    return {ast.unparse(node.func) for node in ast.walk(parse(file)) if isinstance(node, ast.Call)}


def table(heading: str) -> list[list[str]]:
    """Return the rows of the table under a heading of the document, without its head."""
    text = DOCUMENT.read_text(encoding="utf-8")
    body = re.split(r"^#+ ", text.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    rows = [line.strip("| \n").split(" | ") for line in body.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def code_in(cell: str) -> list[str]:
    """Return what a cell sets in code type."""
    return re.findall(r"`([^`]+)`", cell)


def file_table(room: str) -> str:
    """Return the list of a room's files as the document has it."""
    rows = [
        f"| `{file.removeprefix(f'{room}/')}` | {sentence_of(file).replace('|', '/')} |"
        for file in source_files(room)
        if not file.endswith("/__init__.py")
    ]
    return "\n".join(["| file | what it is for |", "|---|---|", *rows])


def main() -> None:
    """Write the lists of files anew."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for room in ROOMS:
        heading = f"### The files of {room}\n"
        before, _, after = text.partition(heading)
        rest = re.search(r"^#", after, re.MULTILINE)
        text = f"{before}{heading}\n{file_table(room)}\n\n{after[rest.start() :] if rest else ''}"
    DOCUMENT.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
