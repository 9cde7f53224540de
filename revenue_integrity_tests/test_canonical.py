"""The one text of a value."""

import hashlib

from revenue_integrity.canonical import canonical_json, sha256_of


def test_the_text_that_is_hashed_does_not_depend_on_how_a_value_was_put_together() -> None:
    assert canonical_json({"b": [1, None], "a": "é\n"}) == canonical_json({"a": "é\n", "b": (1, None)})
    assert canonical_json({"b": [1, None], "a": "é\n"}) == '{"a":"é\\n","b":[1,null]}'
    assert sha256_of({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()
