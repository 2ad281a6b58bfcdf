"""The sections of a report, one file each, in the order in which a reader needs them."""

from __future__ import annotations

from collections.abc import Callable

from doctor.reports.rca.document import Section
from doctor.reports.rca.incident import Incident
from doctor.reports.rca.sections import (
    also_seen,
    appendix,
    before_after,
    causal_graph,
    contributes,
    criteria,
    database_and_logs,
    effects,
    end_to_end,
    files_modified,
    fixes,
    ignored,
    impact,
    infrastructure,
    left_over,
    lessons,
    monitoring,
    not_known,
    prevention,
    root_causes,
    ruled_out,
    status,
    still_open,
    summary,
    timeline,
)

SECTIONS: tuple[Callable[[Incident], Section | None], ...] = (
    status.section,
    summary.section,
    impact.section,
    causal_graph.section,
    root_causes.section,
    effects.section,
    contributes.section,
    left_over.section,
    ruled_out.section,
    not_known.section,
    also_seen.section,
    ignored.section,
    fixes.section,
    still_open.section,
    infrastructure.section,
    end_to_end.section,
    database_and_logs.section,
    before_after.section,
    criteria.section,
    files_modified.section,
    timeline.section,
    prevention.section,
    monitoring.section,
    lessons.section,
    appendix.section,
)
