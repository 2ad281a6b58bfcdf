from uuid import UUID

from helpdesk.language import meaning_of
from helpdesk.patience import patient
from helpdesk.queue import queue
from helpdesk.store import sessions
from helpdesk.tables import Digest, Ticket


@queue.task
@patient(times=3)
def embed_ticket(ticket_id: str) -> None:
    with sessions.begin() as session:
        ticket = session.get_one(Ticket, UUID(ticket_id))
        ticket.meaning = meaning_of(f"{ticket.subject}\n{ticket.body}")


@queue.task
@patient(times=3)
def embed_digest(digest_id: str) -> None:
    with sessions.begin() as session:
        digest = session.get_one(Digest, UUID(digest_id))
        digest.meaning = meaning_of(digest.summary)
