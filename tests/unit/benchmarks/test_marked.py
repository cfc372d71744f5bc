"""Documents whose figures are written by a command, between two marks."""

import pytest

from benchmarks.marked import write_between

BEGIN, END = "<!-- figures -->", "<!-- end figures -->"


def test_what_stands_between_the_marks_is_replaced(tmp_path):
    """And nothing else: written twice, it is the same."""
    document = tmp_path / "page.md"
    after = f"after\n<!-- others -->\nothers\n{END}\n"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\n{after}")

    for _ in range(2):
        write_between(document, BEGIN, END, "new")

    assert document.read_text() == f"before\n{BEGIN}\nnew\n{END}\n{after}"


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_a_document_without_both_marks_is_left_alone(tmp_path, text):
    """Whatever stood behind a missing mark would be lost."""
    document = tmp_path / "page.md"
    document.write_text(text)

    with pytest.raises(ValueError, match="must have the marks"):
        write_between(document, BEGIN, END, "new")

    assert document.read_text() == text
