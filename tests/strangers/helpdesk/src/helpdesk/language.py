import ollama

from helpdesk.config import config

client = ollama.Client(host=config.ollama_host, timeout=60)


def urgency_of(text: str) -> float:
    answer = client.generate(model=config.summary_model, prompt=f"How urgent is this, 0 to 1? {text}")
    return float(answer["response"])


def summary_of(texts: list[str]) -> str:
    answer = client.generate(model=config.summary_model, prompt="Sum up:\n" + "\n".join(texts))
    return str(answer["response"])


def meaning_of(text: str) -> list[float]:
    return list(client.embed(model=config.embedding_model, input=text)["embeddings"][0])
