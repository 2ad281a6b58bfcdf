-- The tables of the pipeline. Applied by schema.py, which puts the vector dimension in; running it again changes nothing.
-- No vector index is made here: below a few thousand rows the planner ignores one (a sequential scan is faster).

CREATE EXTENSION IF NOT EXISTS vector;

-- Where models are served. api_key_env is the NAME of an environment variable; the key itself is never stored.
CREATE TABLE IF NOT EXISTS llm_providers (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name              text NOT NULL UNIQUE,
    type              text NOT NULL CHECK (type IN ('ollama', 'openai')),
    base_url          text,
    api_key_env       text,
    is_active         boolean NOT NULL DEFAULT true,
    validation_status text NOT NULL DEFAULT 'unknown' CHECK (validation_status IN ('unknown', 'connected', 'error')),
    validated_at      timestamptz,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
);

-- Which model does which job, and how it is asked. Tasks look their configuration up by name.
CREATE TABLE IF NOT EXISTS agent_configs (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name           text NOT NULL UNIQUE,
    provider_id    uuid REFERENCES llm_providers (id) ON DELETE SET NULL,
    model_name     text NOT NULL,
    fallback_model text,
    system_prompt  text NOT NULL,
    temperature    double precision NOT NULL DEFAULT 0.3 CHECK (temperature BETWEEN 0 AND 2),
    max_tokens     integer NOT NULL DEFAULT 4000 CHECK (max_tokens > 0),
    is_active      boolean NOT NULL DEFAULT true,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);

-- One batch of messages of one chat, claimed for one run of the extraction task. The claim holds until its lease ends.
CREATE TABLE IF NOT EXISTS extractions (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    chat_id          bigint NOT NULL,
    agent_config_id  uuid REFERENCES agent_configs (id) ON DELETE SET NULL,
    status           text NOT NULL DEFAULT 'claimed' CHECK (status IN ('claimed', 'running', 'completed', 'failed')),
    message_ids      bigint[] NOT NULL,
    claimed_by       text NOT NULL,
    claimed_at       timestamptz NOT NULL DEFAULT now(),
    lease_expires_at timestamptz NOT NULL,
    started_at       timestamptz,
    finished_at      timestamptz,
    model_used       text,
    used_fallback    boolean,
    topics_count     integer,
    atoms_count      integer,
    links_count      integer,
    assigned_count   integer,
    error            text
);
CREATE INDEX IF NOT EXISTS extractions_open ON extractions (chat_id, lease_expires_at)
    WHERE status IN ('claimed', 'running');

CREATE TABLE IF NOT EXISTS topics (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chat_id     bigint NOT NULL,
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS topics_name ON topics (chat_id, lower(name));

-- created_at is when the message was received: after an outage old messages still count as recent work.
-- extraction_id says whose claim the message is; a completed extraction keeps the messages it found no topic for.
CREATE TABLE IF NOT EXISTS messages (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    external_id      text NOT NULL UNIQUE,
    chat_id          bigint NOT NULL,
    sender           text,
    content          text NOT NULL,
    sent_at          timestamptz,
    revised_at       timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    importance_score double precision CHECK (importance_score BETWEEN 0 AND 1),
    noise_class      text CHECK (noise_class IN ('noise', 'neutral', 'signal')),
    topic_id         bigint REFERENCES topics (id) ON DELETE SET NULL,
    extraction_id    uuid REFERENCES extractions (id) ON DELETE SET NULL,
    claimed_at       timestamptz,
    embedding        vector({dimensions})
);
-- Which model the vector is from; NULL where something else wrote it. Vectors of two models cannot be compared.
ALTER TABLE messages ADD COLUMN IF NOT EXISTS embedding_model text;
-- In the row, where it fits: by default vectors from some 500 dimensions on lie apart, and a search without an index
-- fetches each from there: 46 ms instead of 16 for 10,000 rows of 768 dimensions.
ALTER TABLE messages ALTER COLUMN embedding SET STORAGE MAIN;
CREATE INDEX IF NOT EXISTS messages_waiting ON messages (chat_id, created_at)
    WHERE importance_score IS NOT NULL AND topic_id IS NULL AND extraction_id IS NULL;
CREATE INDEX IF NOT EXISTS messages_extraction ON messages (extraction_id);
CREATE INDEX IF NOT EXISTS messages_topic ON messages (topic_id);
CREATE INDEX IF NOT EXISTS messages_without_embedding ON messages (id) WHERE embedding IS NULL;

-- chat_id is NULL only for atoms that came from elsewhere.
CREATE TABLE IF NOT EXISTS atoms (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type          text NOT NULL,
    title         text NOT NULL,
    content       text NOT NULL,
    confidence    double precision CHECK (confidence BETWEEN 0 AND 1),
    chat_id       bigint,
    topic_id      bigint REFERENCES topics (id) ON DELETE SET NULL,
    extraction_id uuid REFERENCES extractions (id) ON DELETE SET NULL,
    message_ids   bigint[] NOT NULL DEFAULT ARRAY[]::bigint[],
    embedding     vector({dimensions}),
    created_at    timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE atoms ADD COLUMN IF NOT EXISTS embedding_model text;
ALTER TABLE atoms ALTER COLUMN embedding SET STORAGE MAIN;
CREATE INDEX IF NOT EXISTS atoms_extraction ON atoms (extraction_id);
CREATE INDEX IF NOT EXISTS atoms_topic ON atoms (topic_id);
CREATE INDEX IF NOT EXISTS atoms_without_embedding ON atoms (id) WHERE embedding IS NULL;

CREATE TABLE IF NOT EXISTS atom_links (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    from_atom_id bigint NOT NULL REFERENCES atoms (id) ON DELETE CASCADE,
    to_atom_id   bigint NOT NULL REFERENCES atoms (id) ON DELETE CASCADE,
    type         text NOT NULL CHECK (type IN
        ('solves', 'supports', 'contradicts', 'continues', 'refines', 'relates_to', 'depends_on')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (from_atom_id, to_atom_id, type),
    CHECK (from_atom_id <> to_atom_id)
);
CREATE INDEX IF NOT EXISTS atom_links_to ON atom_links (to_atom_id);

-- One row per execution of a task, written when it ends; old rows are removed when a worker starts.
CREATE TABLE IF NOT EXISTS task_executions (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task          text NOT NULL,
    status        text NOT NULL CHECK (status IN ('succeeded', 'failed')),
    attempts      integer NOT NULL,
    model_used    text,
    used_fallback boolean,
    error         text,
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS task_executions_finished ON task_executions (finished_at);

-- Dead letters: work that is still to be done. One row per task and arguments; it goes away when that work succeeds.
CREATE TABLE IF NOT EXISTS failed_tasks (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task            text NOT NULL,
    arguments       jsonb NOT NULL,
    error           text NOT NULL,
    attempts        integer NOT NULL,
    first_failed_at timestamptz NOT NULL DEFAULT now(),
    failed_at       timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS failed_tasks_work ON failed_tasks (task, jsonb_hash_extended(arguments, 0));
