"""The harness itself: a run that is fine, one that is refused, and a second one after both."""

from __future__ import annotations

from pathlib import Path

from case_runner import Case

ORDER = ("dataset.timestamp_unit=order",)  # steps of users, no times


def write_log(path: Path) -> None:
    rows = [f"{user},{(user * 7 + step) % 20},{step}" for user in range(30) for step in range(8)]
    path.write_text("\n".join(["user_id,item_id,timestamp", *rows]))


def test_runs_and_refuses_like_the_command(case: Case) -> None:
    write_log(case.folder / "log.csv")
    text = case.train("dataset.path=log.csv", *ORDER).text
    assert "NDCG@10" in text
    assert "30 users" in text
    assert "tower.em_dim: no such key" in case.train("tower.em_dim=1", code=1).text
    assert "30 users" in case.train("dataset.path=log.csv", *ORDER, "tower.emb_dim=4").text
