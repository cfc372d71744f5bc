"""A file that says "(pure)" opens nothing, reads no clock and rolls no dice that it was not given."""

import ast

import pytest

from tests.support.rooms import ROOMS, imported_modules, is_pure, parse, source_files

PURE = [file for file in source_files(*ROOMS) if is_pure(file)]
SHELL_MODULES = {
    *("os", "pathlib", "shutil", "tempfile", "fcntl", "mmap", "glob"),  # files
    *("socket", "select", "urllib", "smtplib", "http", "ssl", "pynetdicom"),  # network
    *("subprocess", "threading", "multiprocessing", "signal", "asyncio", "resource"),  # processes
    *("time", "random", "secrets", "logging", "structlog", "warnings", "sys"),  # clock, dice, log
    *("sqlalchemy", "alembic", "dbos", "apscheduler"),  # database
}
SHELL_CALLS = {"open", "print", "input", "uuid4", "uuid1", "generate_uid", "getpass"}
SHELL_METHODS = {
    *("open", "read_text", "read_bytes", "write_text", "write_bytes", "save_as", "tofile"),
    *("now", "utcnow", "today", "uuid4", "uuid1", "urandom", "getenv"),
}
NUMPY_FILES = {"load", "save", "savez", "savez_compressed", "fromfile", "memmap", "loadtxt"}


def faults_of(tree: ast.Module) -> list[str]:
    """Return what in a syntax tree belongs into the shell."""
    tops = {module.split(".")[0] for module in imported_modules(tree)}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    from_io = {name for name in imported_modules(tree) if name.startswith("io.")} - {"io.BytesIO"}
    return [
        *sorted(tops & SHELL_MODULES),
        *sorted(from_io),
        *(fault for fault in (fault_of(call) for call in calls) if fault),
    ]


def fault_of(call: ast.Call) -> str:
    """Return the call in words if it belongs into the shell, else nothing."""
    name = ast.unparse(call.func)
    last = name.rpartition(".")[2]
    is_file = name in SHELL_CALLS or (last != name and last in SHELL_METHODS)
    is_numpy_file = name in {f"np.{each}" for each in NUMPY_FILES}
    is_unseeded = name == f"np.random.{last}" and (last != "default_rng" or not call.args)
    is_file_read = last == "dcmread" and not ast.unparse(call.args[0]).startswith("BytesIO(")
    return ast.unparse(call) if is_file or is_numpy_file or is_unseeded or is_file_read else ""


@pytest.mark.parametrize("file", PURE)
def test_a_pure_file_touches_nothing_outside(file: str) -> None:
    """It imports nothing that reaches outside, and calls nothing that does."""
    assert faults_of(parse(file)) == []


def test_many_files_are_pure() -> None:
    """The mark is found: what is computed and decided stands in pure files."""
    assert len(PURE) > 30


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "from pathlib import Path",
        "from io import StringIO",
        "open('x')",
        "path.read_bytes()",
        "datetime.now(UTC)",
        "np.random.rand(3)",
        "np.random.default_rng()",
        "np.load(file)",
        "dcmread(path)",
        "uuid.uuid4()",
    ],
)
def test_each_way_out_is_seen(source: str) -> None:
    """What the test looks for, it finds."""
    assert faults_of(ast.parse(source)) != []


@pytest.mark.parametrize(
    "source",
    ["np.random.default_rng(seed).permutation(3)", "dcmread(BytesIO(content))", "rng.random(3)", "date.isoformat()"],
)
def test_what_is_given_may_be_used(source: str) -> None:
    """A seed, bytes in memory and a value are no way out."""
    assert faults_of(ast.parse(source)) == []
