from celery import Celery

from helpdesk.config import config

JOBS = ["helpdesk.jobs.reading", "helpdesk.jobs.digests", "helpdesk.jobs.vectors"]

queue = Celery("helpdesk", broker=config.redis_url, include=JOBS)
queue.conf.task_acks_late = True
