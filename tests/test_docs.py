"""What the guides show is what the kit prints."""

import runpy

import pytest
from conftest import COURSE

messages = runpy.run_path(str(COURSE / "source" / "messages.py"))


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_pages_of_messages_are_up_to_date(language):
    assert (COURSE / "docs" / f"messages.{language}.md").read_text(encoding="utf-8") == messages["page"](language)


def test_the_report_in_the_readme_is_a_real_one():
    readme = (COURSE / "README.md").read_text(encoding="utf-8")
    shown = readme.split("```\nbatch_norm_forward:")[1].split("```")[0]
    assert shown in messages["page"]("en")
