from sqlalchemy import select

from helpdesk.config import config
from helpdesk.jobs.vectors import embed_digest
from helpdesk.language import summary_of
from helpdesk.patience import patient
from helpdesk.queue import queue
from helpdesk.store import sessions
from helpdesk.tables import Digest, Ticket


@queue.task
@patient(times=3)
def write_digest() -> None:
    with sessions.begin() as session:
        tickets = session.scalars(select(Ticket).where(Ticket.digest_id.is_(None)).limit(config.digest_size)).all()
        digest = Digest(summary=summary_of([ticket.body for ticket in tickets]))
        session.add(digest)
        session.flush()
        for ticket in tickets:
            ticket.digest_id = digest.id
        made = str(digest.id)
    embed_digest.delay(made)
