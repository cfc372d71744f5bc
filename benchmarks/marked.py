"""Documents whose figures are written by a command, between two marks."""

from pathlib import Path


def write_between(document: Path, begin: str, end: str, text: str) -> None:
    """Put text between the marks of a document, in place of what is there.

    Args:
        document: UTF-8.
        begin: the first mark, which is there once.
        end: the second mark: the next of them after the first mark; other figures may have the same.
        text: without the line ends around it.

    Raises:
        ValueError: where the document has not both marks; nothing is written.
    """
    whole = document.read_text(encoding="utf-8")
    before, _, rest = whole.partition(begin)
    _, _, after = rest.partition(end)
    if whole.count(begin) != 1 or end not in rest:
        raise ValueError(f"{document} must have the marks {begin}, once, and {end} behind it")
    document.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
