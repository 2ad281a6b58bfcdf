"""An old address of Hugging Face is one finding a file, however often it stands there."""

from pathlib import Path

from doctor.api import Environment, Finding
from doctor.checks.router_base_url import router_base_url
from doctor.source.index import Source

SPEECH = """\
class Speech:
    url: str = "https://api-inference.huggingface.co/models"

    def __init__(self, url: str = "https://api-inference.huggingface.co/models") -> None:
        self.url = url
"""


def test_an_address_that_stands_twice_in_a_file_is_one_finding_with_two_places(tmp_path: Path) -> None:
    (tmp_path / "speech.py").write_text(SPEECH)
    (tmp_path / "text.py").write_text(SPEECH)
    found = router_base_url.detect(Source.read(tmp_path), Environment(tmp_path, process_environment={}))
    places = [[one.source for one in item.evidence] for item in found if isinstance(item, Finding)]
    assert places == [["speech.py:2", "speech.py:4"], ["text.py:2", "text.py:4"]]
