"""Ask a model for the knowledge in a batch: a second chance for invalid JSON, then the fallback model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loguru import logger

from .agents import Agent
from .errors import describe
from .knowledge import ANSWER_SCHEMA, ExtractedKnowledge, InvalidAnswerError, SourceMessage, batch_as_text, parse_answer
from .language_models import ModelError, Prompt, Provider, generate_json


@dataclass(frozen=True, slots=True)
class Extraction:
    """What was found, and which model found it."""

    knowledge: ExtractedKnowledge
    model: str
    used_fallback: bool


async def extract(agent: Agent, messages: Sequence[SourceMessage]) -> Extraction:
    """Extract with the agent's model; when it is missing or fails, with its fallback model, if it names one.

    Raises:
        ModelError: the last model that was asked cannot be reached, is missing or refuses.
        InvalidAnswerError: it answered twice with something else than was asked for.
    """
    prompt = Prompt(agent.system_prompt, batch_as_text(messages), ANSWER_SCHEMA, agent.temperature, agent.max_tokens)
    try:
        return Extraction(await _ask_twice(agent.provider, agent.model, prompt), agent.model, used_fallback=False)
    except (ModelError, InvalidAnswerError) as error:
        if agent.fallback_model is None or agent.fallback_model == agent.model:
            raise
        logger.warning(
            "Model '{}' failed, using fallback model '{}': {}", agent.model, agent.fallback_model, describe(error)
        )
    knowledge = await _ask_twice(agent.provider, agent.fallback_model, prompt)
    return Extraction(knowledge, agent.fallback_model, used_fallback=True)


async def _ask_twice(provider: Provider, model: str, prompt: Prompt) -> ExtractedKnowledge:
    """Ask; if the answer is not valid JSON of the right shape, ask once more (models are not deterministic)."""
    try:
        return parse_answer(await generate_json(provider, model, prompt))
    except InvalidAnswerError as error:
        logger.warning("Model '{}' gave an invalid answer, asking once more: {}", model, error)
    return parse_answer(await generate_json(provider, model, prompt))
