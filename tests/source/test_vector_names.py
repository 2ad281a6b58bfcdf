"""Which tasks make vectors, and which embed something in a page, a file or a chat."""

from __future__ import annotations

import pytest

from doctor.source.vector_names import makes_vectors

MAKE = [
    "embed",
    "embed_messages",
    "embed_messages_batch_task",
    "embedRows",
    "embed_in_batches",
    "reembed_entities",
    "generate_embeddings",
    "compute_tweet_embeddings",
    "update_embedding",
    "vectorize_rows",
]
DO_NOT = [
    "embed_video_in_page",
    "embed_metadata_into_mp3",
    "embed_fonts",
    "embed_post",
    "oembed_fetch",
    "send_embed",
    "refresh_embeds",
    "render_embed_code",
    "verify_embedded_signatures",
    "save_message",
]


@pytest.mark.parametrize("name", MAKE)
def test_some_names_can_mean_nothing_else(name: str) -> None:
    assert makes_vectors(name, [])


@pytest.mark.parametrize("name", DO_NOT)
def test_other_names_say_nothing_of_vectors(name: str) -> None:
    assert not makes_vectors(name, ["page", "open", "requests.get"])


@pytest.mark.parametrize(
    "body", [["vectors"], ["EmbeddingService().run"], ["sentence_transformers.SentenceTransformer"]]
)
def test_the_body_decides_where_the_name_does_not(body: list[str]) -> None:
    assert makes_vectors("embed_covers", body)
    assert not makes_vectors("upload_covers", body)
