"""A knowledge pipeline: Telegram messages come in; topics, atoms, vectors and semantic search come out.

The chain: ``POST /webhook/telegram`` → ``save_telegram_message`` → ``score_message_task`` → (threshold) →
``extract_knowledge_from_messages_task`` → ``embed_messages_batch_task`` and ``embed_atoms_batch_task`` → search.

All imports are relative, so a copy of this folder runs as the top-level package ``app``::

    python -m app.schema
    python -m uvicorn app.main:app
    python -m taskiq worker app.broker:broker app.tasks --workers 1 --wait-tasks-timeout 15

Without that time-out a worker that is told to stop waits for its tasks as long as they take. With it, what is still
unfinished after so many seconds goes back to the queue.
"""
