"""``/me``: whom the application takes the caller for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from ..identity import User
from .access import token_holders_only

router = APIRouter(prefix="/me", tags=["access"])


class Caller(BaseModel):
    """The caller. ``user`` is null for who needs no token, and for who has API_TOKEN."""

    user: str | None
    session: str | None


@router.get("")
async def show_caller(user: Annotated[User | None, Depends(token_holders_only)]) -> Caller:
    """Show who the verified token says the caller is."""
    return Caller(user=None, session=None) if user is None else Caller(user=user.id, session=user.session)
