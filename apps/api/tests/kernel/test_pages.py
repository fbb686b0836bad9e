import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topcoin.kernel.pages import InvalidCursor, decode_cursor, encode_cursor

integers = st.integers(-(2**63), 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


def cursor_of(text: str) -> str:
    """A cursor with this content, as somebody who knows the encoding would forge it."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@given(integers, texts)
def test_a_cursor_gives_back_its_key(number: int, text: str) -> None:
    assert decode_cursor(encode_cursor(number, text), int, str) == (number, text)


@given(st.text(max_size=60))
def test_any_other_text_is_refused_or_a_key_of_those_kinds(text: str) -> None:
    try:
        key = decode_cursor(text, int)
    except InvalidCursor:
        return
    assert [type(part) for part in key] == [int]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "7",
        "{}",
        "[]",
        "[1, 2]",
        '["7"]',
        "[7.0]",
        "[true]",
        "[null]",
        f"[{2**63}]",
        f"[{-(2**63) - 1}]",
        "[" + "9" * 5_000 + "]",
        "[" * 100_000,
    ],
)
def test_what_this_server_never_hands_out_is_refused(content: str) -> None:
    with pytest.raises(InvalidCursor, match="start again without it"):
        decode_cursor(cursor_of(content), int)


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud800"])
def test_a_text_that_no_column_holds_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(cursor_of(json.dumps([text])), str)


def test_a_cursor_is_safe_in_an_address() -> None:
    cursor = encode_cursor("\xff\xfe?>~", 2**62)
    assert cursor.isascii()
    assert not set(cursor) & set("+/=&?#% ")
