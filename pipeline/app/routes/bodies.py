"""Types that several request bodies share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

# The range of a bigint identity column.
RowId = Annotated[int, Field(ge=1, le=2**63 - 1)]


def _without_nul(text: str) -> str:
    """Drop NUL characters, which PostgreSQL cannot store."""
    return text.replace("\x00", "")


Text = Annotated[str, AfterValidator(_without_nul), StringConstraints(strip_whitespace=True, max_length=100_000)]
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$"),
]

# The default of a field in a change: a field that is left out is never written (`exclude_unset`), so its value is
# never looked at.
UNCHANGED: Any = None


class Body(BaseModel):
    """A request body; a key that nobody reads is refused, because it is most likely misspelt."""

    model_config = ConfigDict(extra="forbid")
