"""The code in ``docs/add_a_stream.md``: what stands in its blocks, and renewing them from the toy stream.

``python -m revenue_integrity_tests.walk_through`` renews the page after the toy stream was changed. Does not belong here: the
words between the blocks, which people write.
"""

import re
from pathlib import Path

TOY = Path(__file__).parent / "toy"
PAGE = Path(__file__).parents[1] / "docs" / "add_a_stream.md"

IN_TESTS, IN_PAGE = "revenue_integrity_tests.toy", "revenue_integrity.streams.toy"
"""The package of the toy stream, and the one that the page makes of it."""

_BLOCK = re.compile(r"^`(?P<path>[\w./]+)`:\n\n```(?P<language>\w+)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: str) -> dict[str, str]:
    """Return the files that the page shows, each with its content as the toy stream has it, by their paths."""
    found = {match["path"]: match["code"].replace(IN_PAGE, IN_TESTS) for match in _BLOCK.finditer(page)}
    assert len(found) == len(_BLOCK.findall(page)), "a file is shown twice"
    return found


def toy_files() -> dict[str, str]:
    """Return the files of the toy stream with their content, by their paths in it."""
    files = sorted(path for path in TOY.rglob("*") if path.suffix in (".py", ".sql", ".j2"))
    return {path.relative_to(TOY).as_posix(): path.read_text(encoding="utf-8") for path in files}


def renewed(page: str) -> str:
    """Return the page with the present content of the files that it shows."""
    files = toy_files()

    def block(match: re.Match[str]) -> str:
        code = files.get(match["path"])
        if code is None:
            return match[0]
        return f"`{match['path']}`:\n\n```{match['language']}\n{code.replace(IN_TESTS, IN_PAGE)}```"

    return _BLOCK.sub(block, page)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
