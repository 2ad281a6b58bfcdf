-- Vectors for topics: optional, applied by schema.py when EMBED_TOPICS is on; running it again changes nothing.
-- Without it topics have no vector column at all, so nothing waits there to be filled.

ALTER TABLE topics ADD COLUMN IF NOT EXISTS embedding vector({dimensions});
ALTER TABLE topics ADD COLUMN IF NOT EXISTS embedding_model text;
CREATE INDEX IF NOT EXISTS topics_without_embedding ON topics (id) WHERE embedding IS NULL;

-- A topic is described anew with every batch that it occurs in; the vector belongs to the text, whoever changes it.
CREATE OR REPLACE FUNCTION forget_topic_vector() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.embedding := NULL;
    NEW.embedding_model := NULL;
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER topics_forget_vector BEFORE UPDATE OF name, description ON topics
    FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name OR OLD.description IS DISTINCT FROM NEW.description)
    EXECUTE FUNCTION forget_topic_vector();
