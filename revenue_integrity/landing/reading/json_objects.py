"""JSON read object by object, its values as the text that stands in the file: the engine turns long numbers into floats.

Belongs here: an array of objects, or one object after the other. Does not belong here: what a value means (``values``).
"""

import json
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from revenue_integrity.landing.reading.exact import text_stream
from revenue_integrity.landing.reading.inspection import FileFacts, UnreadableError

_CHUNK = 1 << 20
_BLANK = " \t\n\r"


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object in order, repeated names included."""

    @cached_property
    def plain(self) -> dict[str, Any]:
        """The object as a mapping."""
        return {key: _plain(value) for key, value in self}


def _plain(value: Any) -> Any:
    if isinstance(value, _Pairs):
        return value.plain
    return [_plain(each) for each in value] if isinstance(value, list) else value


def json_text(value: Any) -> str | None:
    """Return the text of a JSON value as CSV would have it; numbers arrive here as the text of the file."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(_plain(value), ensure_ascii=False)


_AS_TEXT = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_Pairs)


def json_objects(
    file: FileFacts, decoder: json.JSONDecoder = _AS_TEXT, *, may_be_empty: bool = False
) -> Iterator[tuple[str, Any]]:
    """Yield text and members of each object of an array of objects, or of one object after the other.

    Raises:
        UnreadableError: the file is no JSON, or holds what is no object; or nothing, unless it ``may_be_empty``.
        json.JSONDecodeError: an object is no JSON.
    """
    if not file.length and not may_be_empty:
        raise UnreadableError("is empty")
    limits = file.limits
    with text_stream(file) as stream:
        text, at, size, number, within = "", 0, _CHUNK, 0, False
        opened = closed = separated = False
        while True:
            at = _skip(text, at)
            if at == len(text):
                text, at = stream.read(_CHUNK), 0
                if text:
                    continue
                if opened and not closed:
                    raise UnreadableError("is truncated: its array does not end")
                if not opened and not number and not may_be_empty:
                    raise UnreadableError("holds no JSON")
                return
            mark = text[at]
            if closed:
                raise UnreadableError("has text behind the end of its array")
            if mark == "[" and not opened and not number:
                opened, at = True, at + 1
                continue
            if opened and mark == "]" and not separated:
                closed, at = True, at + 1
                continue
            if opened and mark == "," and within and not separated:
                separated, at = True, at + 1
                continue
            if mark != "{" or (opened and within and not separated):
                raise UnreadableError(f"is not readable JSON (object {number + 1} is expected, '{text[at : at + 20]}' found)")
            try:
                members, end = decoder.raw_decode(text, at)
            except RecursionError:
                raise UnreadableError(limits.too_deep()) from None
            except json.JSONDecodeError:
                # Perhaps the object goes on behind what has been read.
                more = stream.read(size)
                if not more:
                    raise
                if len(text) - at > limits.row_bytes:
                    raise UnreadableError(limits.too_long(f" (object {number + 1})")) from None
                text, at, size = text[at:] + more, 0, size * 2
                continue
            if problem := limits.too_many_columns(len(members)):
                raise UnreadableError(problem)
            if end - at > limits.row_bytes:
                raise UnreadableError(limits.too_long(f" (object {number + 1})"))
            # What opens so few objects and arrays cannot be deeper; counting is quicker than looking.
            opened_within = text.count("{", at, end) + text.count("[", at, end)
            if opened_within > limits.nesting and _is_deeper(members, limits.nesting):
                raise UnreadableError(limits.too_deep())
            number, within, separated, size = number + 1, True, False, _CHUNK
            yield text[at:end], members
            at = end


def _is_deeper(members: _Pairs, levels: int) -> bool:
    """Return whether something in an object stands deeper than so many levels; the object itself is the first."""
    within: list[Any] = [value for _, value in members if isinstance(value, list)]
    for _ in range(levels):
        if not within:
            return False
        inner = [each for value in within for each in value]
        values = [each[1] if isinstance(each, tuple) else each for each in inner]
        within = [each for each in values if isinstance(each, list)]
    return bool(within)


def _skip(text: str, at: int) -> int:
    """Return the place of the first character from ``at`` on that is no white space."""
    while at < len(text) and text[at] in _BLANK:
        at += 1
    return at
