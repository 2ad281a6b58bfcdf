"""The parts of SARIF 2.1.0 that are used, as the standard has them: every other property, type or word is refused.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html (the numbers are its sections)
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt


class _Object(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Message(_Object):
    """3.11."""

    text: Annotated[str, Field(min_length=1)]


class ArtifactLocation(_Object):
    """3.4: a URI reference, so that a space or a letter beyond ASCII is escaped."""

    uri: Annotated[str, Field(pattern=r"^[A-Za-z0-9._~!$&'()*+,;=:@%-][A-Za-z0-9._~!$&'()*+,;=:@%/-]*$")]
    uriBaseId: Literal["%SRCROOT%"]


class Region(_Object):
    """3.30."""

    startLine: PositiveInt
    startColumn: PositiveInt | None = None
    endLine: PositiveInt | None = None
    endColumn: PositiveInt | None = None


class PhysicalLocation(_Object):
    """3.29."""

    artifactLocation: ArtifactLocation
    region: Region


class LogicalLocation(_Object):
    """3.33."""

    fullyQualifiedName: str
    kind: str


class Location(_Object):
    """3.28; the physical one is a demand of GitHub's."""

    physicalLocation: PhysicalLocation
    logicalLocations: list[LogicalLocation] = []


class Replacement(_Object):
    """3.57."""

    deletedRegion: Region
    insertedContent: Message | dict[Literal["text"], str]


class ArtifactChange(_Object):
    """3.56: at least one replacement."""

    artifactLocation: ArtifactLocation
    replacements: Annotated[list[Replacement], Field(min_length=1)]


class Fix(_Object):
    """3.55: at least one change."""

    description: Message
    artifactChanges: Annotated[list[ArtifactChange], Field(min_length=1)]


class Suppression(_Object):
    """3.35."""

    kind: Literal["inSource", "external"]
    status: Literal["accepted", "underReview", "rejected"]
    justification: str


class Result(_Object):
    """3.27."""

    ruleId: str
    ruleIndex: NonNegativeInt
    level: Literal["none", "note", "warning", "error"]
    message: Message
    locations: Annotated[list[Location], Field(min_length=1, max_length=10)]
    partialFingerprints: dict[str, str]
    fixes: Annotated[list[Fix], Field(min_length=1)] | None = None
    suppressions: list[Suppression] = []
    properties: dict[str, Any] = {}


class Rule(_Object):
    """3.49."""

    id: str
    name: str
    shortDescription: Message
    help: Message


class Driver(_Object):
    """3.19."""

    name: str
    version: str
    rules: list[Rule]


class Tool(_Object):
    """3.18."""

    driver: Driver


class AssociatedRule(_Object):
    """3.52."""

    id: str


class Notification(_Object):
    """3.58."""

    level: Literal["none", "note", "warning", "error"]
    message: Message
    associatedRule: AssociatedRule


class Invocation(_Object):
    """3.20."""

    executionSuccessful: bool
    exitCode: int
    startTimeUtc: Annotated[AwareDatetime, Field(strict=False)]
    toolExecutionNotifications: list[Notification]


class AutomationDetails(_Object):
    """3.17."""

    id: str


class UriBase(_Object):
    """3.14.14: the place of a checkout is its host's to say, so that only a description is left."""

    description: Message


class Run(_Object):
    """3.14."""

    tool: Tool
    automationDetails: AutomationDetails
    columnKind: Literal["utf16CodeUnits", "unicodeCodePoints"]
    originalUriBaseIds: dict[Literal["%SRCROOT%"], UriBase]
    invocations: list[Invocation]
    results: list[Result]


class Log(BaseModel):
    """3.13."""

    model_config = ConfigDict(extra="forbid", strict=True)

    schema_: Annotated[str, Field(alias="$schema")]
    version: Literal["2.1.0"]
    runs: Annotated[list[Run], Field(min_length=1, max_length=1)]
