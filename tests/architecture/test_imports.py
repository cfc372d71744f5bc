"""Who imports whom, and who touches the outside world, is what docs/architecture.md says."""

import ast
import subprocess
import sys
from fnmatch import fnmatch
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.support.rooms import (
    DOCUMENT,
    ROOMS,
    ROOT,
    calls_of,
    code_in,
    file_table,
    imported_files,
    imported_modules,
    module_name,
    parse,
    source_files,
    table,
)

FILES = source_files(*ROOMS)
MAY_IMPORT = {code_in(room)[0]: set(code_in(others)) for room, others in table("Between rooms")}
DOORS = {tuple(code_in(rooms)): set(code_in(doors)) for rooms, doors in table("The doors")}
ENTRANCES = table("Within a room")
LIBRARIES = {code_in(library)[0]: code_in(where) for library, where, _ in table("Libraries")}
OUTSIDE = {
    (what.split()[0], code_in(what)[0]): code_in(where)
    for what, where, _ in table("Clock, threads, processes, network")
}
NOT_IN_THE_DAEMON = {"torch", "scipy", "cv2", "highdicom", "matplotlib"}


def is_meant(file: str, pattern: str) -> bool:
    """Whether a cell of the document means this file: by its name, its folder, or with a star."""
    return file.startswith(pattern) if pattern.endswith("/") else fnmatch(file, pattern)


def strangers(users: set[str], patterns: list[str]) -> set[str]:
    """Return the users that no pattern means, and the patterns that mean no user."""
    unknown = {file for file in users if not any(is_meant(file, pattern) for pattern in patterns)}
    return unknown | {pattern for pattern in patterns if not any(is_meant(file, pattern) for file in users)}


def tops_of(file: str) -> set[str]:
    """Return the packages that a file imports."""
    return {module.split(".")[0] for module in imported_modules(parse(file))}


def test_the_tables_were_found() -> None:
    """The document has the tables that the other tests read."""
    assert set(MAY_IMPORT) == set(ROOMS)
    assert all((DOORS, ENTRANCES, LIBRARIES, OUTSIDE))


@pytest.mark.parametrize("file", FILES)
def test_rooms_import_downwards(file: str) -> None:
    """A file imports its own room and the rooms below it."""
    room = file.partition("/")[0]

    assert tops_of(file) & MAY_IMPORT.keys() <= MAY_IMPORT[room]


@pytest.mark.parametrize("rooms", DOORS, ids="-into-".join)
def test_rooms_are_entered_by_their_doors(rooms: tuple[str, str]) -> None:
    """What a room imports of another are the doors in the document, all of them and no others."""
    visitor, host = rooms
    used = {other for file in source_files(visitor) for other in imported_files(file) if other.startswith(f"{host}/")}

    assert {module_name(each).removeprefix(f"{host}.") for each in used} == DOORS[rooms]


@pytest.mark.parametrize(("inside", "outside"), ENTRANCES, ids=[row[0] for row in ENTRANCES])
def test_upper_floors_have_few_entrances(inside: str, outside: str) -> None:
    """The upper files of dicomnode are imported by those in the document and by nobody else."""
    [pattern] = code_in(inside)
    importers = {file for file in FILES if any(is_meant(other, pattern) for other in imported_files(file))}

    assert strangers(importers, code_in(outside)) == set()


@pytest.mark.parametrize("room", ROOMS)
def test_there_is_no_import_circle(room: str) -> None:
    """The files of a room form floors."""
    graph = {
        file: {other for other in imported_files(file) if other.startswith(f"{room}/")} for file in source_files(room)
    }

    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"these files import each other: {error.args[1]}")


@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries_stand_where_the_document_says(library: str) -> None:
    """A library is imported in the files of its row, in all of them and nowhere else."""
    users = {file for file in FILES if library in tops_of(file)}

    assert strangers(users, LIBRARIES[library]) == set()


@pytest.mark.parametrize(("kind", "name"), OUTSIDE)
def test_the_outside_world_is_touched_where_the_document_says(kind: str, name: str) -> None:
    """Clock, threads, processes and network are in the files of their row, in all of them and nowhere else."""
    users = {file for file in FILES if name in (tops_of(file) if kind == "import" else calls_of(file))}

    assert strangers(users, OUTSIDE[kind, name]) == set()


@pytest.mark.parametrize("file", [file for file in FILES if file.endswith("__init__.py")])
def test_a_package_face_is_a_docstring(file: str) -> None:
    """An `__init__.py` holds a docstring; that of dicomnode also the version."""
    rest = [ast.unparse(node) for node in parse(file).body[1:]]

    assert [line for line in rest if not line.startswith("__version__ = ")] == []


@pytest.mark.parametrize("file", FILES)
def test_there_are_no_imports_for_types_only(file: str) -> None:
    """A type that two files need stands on a lower floor."""
    assert "TYPE_CHECKING" not in {node.id for node in ast.walk(parse(file)) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("file", [file for file in FILES if not file.startswith("dicomnode/cli")])
def test_imports_stand_at_the_top(file: str) -> None:
    """Only the command line imports something when it is needed."""
    functions = [node for node in ast.walk(parse(file)) if isinstance(node, ast.FunctionDef)]

    assert [function.name for function in functions if imported_modules(function)] == []


@pytest.mark.parametrize("room", ROOMS)
def test_the_document_lists_every_file(room: str) -> None:
    """The list of a room's files is what `python -m tests.support.rooms` would write."""
    assert file_table(room) in DOCUMENT.read_text(encoding="utf-8"), "run python -m tests.support.rooms"


@pytest.mark.parametrize("module", ["dicomnode.daemon", "dicomnode.commands.serve", "dicomnode.cli"])
def test_the_daemon_loads_no_network(module: str) -> None:
    """What the daemon really imports holds no torch and nothing else that only contouring needs."""
    source = f"import sys, {module}; print(' '.join(sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True)

    assert {name.split(".")[0] for name in loaded.stdout.split()} & NOT_IN_THE_DAEMON == set()
