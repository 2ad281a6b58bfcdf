from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from helpdesk.config import config

engine = create_engine(config.database_url.replace("+asyncpg", "+psycopg"))
sessions: sessionmaker[Session] = sessionmaker(engine)
