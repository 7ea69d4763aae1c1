"""The campaign files in docs/explorers.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from alflow.campaign.file import parse_campaign
from alflow.explorers import EXPLORERS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "explorers.md").read_text(encoding="utf-8")
CAMPAIGNS = re.findall(r"```yaml\n(name: .*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize("text", CAMPAIGNS, ids=lambda text: text.split()[1])
def test_campaigns_of_the_page_are_valid(text: str) -> None:
    campaign = parse_campaign(yaml.safe_load(text), "docs/explorers.md")
    assert campaign.name in text


def test_every_kind_has_a_section() -> None:
    assert len(CAMPAIGNS) == 3
    for kind in EXPLORERS.names():
        assert f"\n## {kind}\n" in PAGE
