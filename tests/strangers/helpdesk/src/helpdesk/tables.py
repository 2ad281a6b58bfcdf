import uuid
from datetime import datetime

from pgvector.sqlalchemy import Vector
from sqlalchemy import ForeignKey, Text, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Ticket(Base):
    __tablename__ = "tickets"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())
    subject: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    urgency: Mapped[float | None]
    digest_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("digests.id"))
    meaning: Mapped[list[float] | None] = mapped_column(Vector(768))


class Digest(Base):
    __tablename__ = "digests"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    written_at: Mapped[datetime] = mapped_column(server_default=func.now())
    summary: Mapped[str] = mapped_column(Text)
    meaning: Mapped[list[float] | None] = mapped_column(Vector(768))
