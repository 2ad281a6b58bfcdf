"""Agent configurations."""

from doctor.api import Hypothesis, KnownSignature

SIGNATURES = (
    KnownSignature(
        "agent-config-missing",
        "no usable agent configuration, so nothing is extracted",
        hint="No active agent config",
        pattern=r"No active agent config '(?P<agent>[^']*)' found",
        examples=("No active agent config 'knowledge_extractor' found for knowledge extraction, skipping",),
        area="agents",
        hypotheses=(Hypothesis("its row is missing or inactive, or names a provider that cannot be used", "AGT001"),),
        kinds={"agent": "agent"},
    ),
)
