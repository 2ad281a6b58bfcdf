from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import select

from helpdesk.jobs.reading import read_ticket
from helpdesk.language import meaning_of
from helpdesk.store import sessions
from helpdesk.tables import Ticket
from helpdesk.visitor import visitor

app = FastAPI()


class NewTicket(BaseModel):
    subject: str
    body: str


@app.post("/tickets", status_code=201)
def open_ticket(new: NewTicket, who: str = Depends(visitor)) -> dict[str, str]:
    with sessions.begin() as session:
        ticket = Ticket(subject=new.subject, body=new.body)
        session.add(ticket)
        session.flush()
        made = str(ticket.id)
    read_ticket.delay(made)
    return {"id": made, "by": who}


@app.get("/tickets/like")
def tickets_like(text: str) -> list[str]:
    with sessions() as session:
        nearest = select(Ticket).order_by(Ticket.meaning.cosine_distance(meaning_of(text))).limit(5)
        return [ticket.subject for ticket in session.scalars(nearest)]
