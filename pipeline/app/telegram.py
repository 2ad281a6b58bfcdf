"""Telegram's update bodies, as far as the pipeline needs them (https://core.telegram.org/bots/api#update)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _whole(value: object) -> object:
    """Take 7.0 for 7: JSON has one kind of number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Comes last among the annotations: bounds that follow a function would be missing from the OpenAPI document.
WholeNumber = BeforeValidator(_whole)

# Telegram's identifiers have at most 52 significant bits: what every reader of JSON holds exactly. The columns hold 64.
Identifier = Annotated[int, Field(ge=-(2**53 - 1), le=2**53 - 1), WholeNumber]
# Seconds since 1970, up to the year 9999.
UnixTime = Annotated[int, Field(ge=0, le=253_402_300_799), WholeNumber]
# Telegram allows 4,096 characters. This bound keeps every accepted task below the 1 MiB that NATS takes.
LONGEST_TEXT = 65_536


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True)


class _User(_Strict):
    id: Identifier
    username: str | None = None
    first_name: str | None = None
    last_name: str | None = None


class _Chat(_Strict):
    id: Identifier
    title: str | None = None


class _Message(_Strict):
    message_id: Identifier
    date: UnixTime
    chat: _Chat
    edit_date: UnixTime | None = None
    sender: _User | None = Field(default=None, alias="from")
    sender_chat: _Chat | None = None
    text: str | None = Field(default=None, max_length=LONGEST_TEXT)
    caption: str | None = Field(default=None, max_length=LONGEST_TEXT)


class Update(_Strict):
    """An update; kinds that carry no message of a chat are accepted and have none of these fields."""

    update_id: Identifier
    message: _Message | None = None
    edited_message: _Message | None = None
    channel_post: _Message | None = None
    edited_channel_post: _Message | None = None


class IncomingMessage(BaseModel):
    """A message on its way into the pipeline. ``external_id`` is the same however often Telegram delivers it."""

    chat_id: Identifier
    message_id: Identifier
    sender: str | None
    content: str
    sent_at: datetime
    revised_at: datetime

    @property
    def external_id(self) -> str:
        """The identity of the message outside; message ids are unique within a chat only."""
        return f"{self.chat_id}:{self.message_id}"


def message_of(update: Update) -> IncomingMessage | None:
    """Return the update's message; None when it has no text (other kinds, stickers, joins): nothing to learn from.

    NUL characters are dropped, because PostgreSQL cannot store them.
    """
    found = update.message or update.edited_message or update.channel_post or update.edited_channel_post
    if found is None:
        return None
    content = (found.text or found.caption or "").replace("\x00", "").strip()
    if not content:
        return None
    return IncomingMessage(
        chat_id=found.chat.id,
        message_id=found.message_id,
        sender=_sender(found),
        content=content,
        sent_at=datetime.fromtimestamp(found.date, UTC),
        revised_at=datetime.fromtimestamp(found.edit_date or found.date, UTC),
    )


def _sender(message: _Message) -> str | None:
    """Name who wrote it: a user, or the chat itself for channel posts and anonymous administrators."""
    user = message.sender
    if user is not None:
        name = user.username or " ".join(part for part in (user.first_name, user.last_name) if part) or str(user.id)
    elif message.sender_chat is not None:
        name = message.sender_chat.title or str(message.sender_chat.id)
    else:
        return None
    return name.replace("\x00", "")[:500]
