"""A message leads to the call that wrote it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from doctor.source.log_calls import LogCallSite
from doctor.triage.call_sites import CallSites, Template
from doctor.triage.masking import Masker

MASKER = Masker()


def site(template: str, line: int = 1, module: str = "app.tasks", function: str = "run") -> LogCallSite:
    path = f"{module.replace('.', '/')}.py"
    return LogCallSite(path, module, function, line, line, "info", tuple(template.split("{}")))


def found(sites: CallSites, message: str) -> str | None:
    template = sites.template_of(message, sites.candidates(MASKER.mask(message)))
    return None if template is None else template.text


def test_of_the_templates_that_fit_the_one_that_says_most_is_taken() -> None:
    sites = CallSites([site("Task {} failed: {}", 1), site("Task {} failed: timeout after {} s", 2), site("{}: {}", 3)])
    assert found(sites, "Task a failed: broken") == "Task {} failed: {}"
    assert found(sites, "Task a failed: timeout after 3 s") == "Task {} failed: timeout after {} s"
    assert found(sites, "Something: else") is None


def test_a_template_without_a_word_of_its_own_is_found_by_its_beginning_or_anyhow() -> None:
    sites = CallSites([site("user={}", 1), site("{}_failed", 2)])
    assert found(sites, "user=bob") == "user={}"
    assert found(sites, "start_failed") == "{}_failed"


def test_only_the_first_line_of_a_text_counts() -> None:
    assert found(CallSites([site("Report for {}\nall {}")]), "Report for bob") == "Report for {}"


def test_a_log_that_names_function_and_line_decides_between_equal_texts() -> None:
    sites = CallSites([site("Done with {}", 3), site("Done with {}", 9), site("Done with {}", 3, "app.other", "go")])
    template = sites.template_of("Done with x", sites.candidates("Done with x"))
    assert template is not None
    assert sites.site_of(template, "app.tasks", "run", 9).line == 9  # type: ignore[union-attr]
    assert sites.site_of(template, "app.other", "", 0).module == "app.other"  # type: ignore[union-attr]
    assert sites.site_of(template, "", "", 0).path == "app/other.py"  # type: ignore[union-attr]
    assert sites.site_of(None, "app.tasks", "run", 9).line == 9  # type: ignore[union-attr]
    assert sites.site_of(None, "app.tasks", "run", 8) is None


WORDS = st.text(st.sampled_from("ab1 :="), max_size=6)


@given(st.lists(WORDS, min_size=1, max_size=5), st.data())
def test_what_a_template_writes_fits_it(parts: list[str], data: st.DataObject) -> None:
    values = data.draw(st.lists(WORDS, min_size=len(parts) - 1, max_size=len(parts) - 1))
    message = parts[0] + "".join(value + part for value, part in zip(values, parts[1:], strict=True))
    assert Template(tuple(parts), 1).fits(message)
