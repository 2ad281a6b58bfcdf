"""Every answer that is no success, as the OpenAPI document declares it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Problem(BaseModel):
    """What went wrong, in a sentence."""

    detail: str


class FieldProblem(BaseModel):
    """What does not fit, and where it stands in the request."""

    loc: list[str | int]
    msg: str


class InvalidRequest(BaseModel):
    """Why a request was refused: by field, or in a sentence."""

    detail: list[FieldProblem] | str


MEANINGS = {
    400: "The body cannot be read.",
    401: "The credentials are missing or wrong.",
    403: "The credentials are wrong.",
    404: "There is no such row.",
    408: "The body did not arrive in time.",
    409: "The state of things does not allow it; the detail says why.",
    413: "The body is too long.",
    422: "Something in the request does not fit.",
    503: "A service that this needs does not answer; try again later.",
}


def problems(*status_codes: int) -> dict[int | str, dict[str, Any]]:
    """Return the declaration of these answers, for the parameter ``responses`` of a route."""
    return {
        code: {"model": InvalidRequest if code == 422 else Problem, "description": MEANINGS[code]}
        for code in status_codes
    }
