"""Types that several requests share. What they accept is what the OpenAPI document says, to the last value."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, StringConstraints

from ..telegram import WholeNumber

# Up to the largest integer that every reader of JSON holds exactly; OpenAPI documents state bounds as such numbers.
# The columns are 64 bits wide, so what is larger would still fit, and is never reached.
RowId = Annotated[int, Field(ge=1, le=2**53 - 1)]
# In a body a number is a number, neither "1" nor true.
BodyRowId = Annotated[int, Strict(), Field(ge=1, le=2**53 - 1), WholeNumber]
Switch = Annotated[bool, Strict()]


def _clean(text: str) -> str:
    """Drop NUL characters, which PostgreSQL cannot store, and surrounding space."""
    return text.replace("\x00", "").strip()


# A character that is left when a text is cleaned. Languages differ in what is space, in the ranges named here.
VISIBLE = r"[^\s\x00-\x20\x7f-\xa0\ufeff]"
IN_A_LINE = r"[^\x00-\x1f\x7f]"

Text = Annotated[str, StringConstraints(max_length=100_000, pattern=VISIBLE), AfterValidator(_clean)]
# One line, and not only space.
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=f"^{IN_A_LINE}*{VISIBLE}{IN_A_LINE}*$"),
    AfterValidator(_clean),
]

# The default of a field in a change: a field that is left out is never written (`exclude_unset`), so its value is
# never looked at.
UNCHANGED: Any = None


class Body(BaseModel):
    """A request body; a key that nobody reads is refused, because it is most likely misspelt."""

    model_config = ConfigDict(extra="forbid")
