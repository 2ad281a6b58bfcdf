from uuid import UUID

from loguru import logger
from sqlalchemy import func, select

from helpdesk.config import config
from helpdesk.jobs.digests import write_digest
from helpdesk.jobs.vectors import embed_ticket
from helpdesk.language import urgency_of
from helpdesk.patience import patient
from helpdesk.queue import queue
from helpdesk.store import sessions
from helpdesk.tables import Ticket


@queue.task
@patient(times=3)
def read_ticket(ticket_id: str) -> None:
    with sessions.begin() as session:
        ticket = session.get_one(Ticket, UUID(ticket_id))
        ticket.urgency = urgency_of(f"{ticket.subject}\n{ticket.body}")
        waiting = session.scalar(select(func.count()).where(Ticket.urgency.is_not(None), Ticket.digest_id.is_(None)))
    logger.info("{} is read, {} wait for a digest", ticket_id, waiting)
    embed_ticket.delay(ticket_id)
    if (waiting or 0) >= config.digest_size:
        write_digest.delay()
