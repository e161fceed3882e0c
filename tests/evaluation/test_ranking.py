import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from judged_folds import item_lists  # type: ignore[import-not-found]
from torch import Tensor

from twotower.core.errors import TrainingError
from twotower.evaluation import top_k
from twotower.types import ItemLists, OneRanking, Recommendations


class Table:
    """Scores from a table [n_users, n_items]; keeps note of the users it was asked for."""

    def __init__(self, rows: list[list[float]] | Tensor) -> None:
        self.rows = torch.as_tensor(rows)
        self.n_users, self.n_items = self.rows.shape
        self.asked: list[list[int]] = []

    def score_all(self, users: Tensor) -> Tensor:
        self.asked.append(users.tolist())
        return self.rows[users]


def rank(
    table: Table,
    k: int,
    users: list[int] | None = None,
    drop: ItemLists | None = None,
    block_scores: int = 1000,
) -> Recommendations:
    wanted = torch.arange(table.n_users) if users is None else torch.tensor(users)
    return top_k(table, wanted, k=k, drop=drop, block_scores=block_scores)


def test_best_items_come_first_with_their_scores() -> None:
    ranking = rank(Table([[0.1, 0.9, 0.5], [3.0, -1.0, 2.0]]), k=2)
    assert ranking.items.tolist() == [[1, 2], [0, 2]]
    assert torch.equal(ranking.scores, torch.tensor([[0.9, 0.5], [3.0, 2.0]]))


def test_dropped_items_fill_no_place() -> None:
    # Of three items two are dropped: one is left, the other place stays empty.
    ranking = rank(Table([[0.1, 0.9, 0.5]]), k=2, drop=item_lists([[1, 2]]))
    assert ranking.items.tolist() == [[0, -1]]
    assert ranking.scores[0, 1] == -torch.inf


def test_dropped_lists_go_with_places_and_cold_items_are_let_by() -> None:
    # Row 0 of drop belongs to the first user asked for, user 1; item 7 is none of the three.
    ranking = rank(Table([[3.0, 2.0, 1.0]] * 2), k=1, users=[1, 0], drop=item_lists([[0, 7], []]))
    assert ranking.items.tolist() == [[1], [0]]


def test_more_places_than_items_leave_the_width() -> None:
    ranking = rank(Table([[1.0, 2.0]]), k=4)
    assert ranking.items.tolist() == [[1, 0, -1, -1]]
    assert ranking.scores.tolist() == [[2.0, 1.0, -torch.inf, -torch.inf]]


def test_cold_users_get_nothing_and_are_not_scored() -> None:
    table = Table([[1.0, 2.0]])
    ranking = rank(table, k=2, users=[5, 0, 1])
    assert ranking.items.tolist() == [[-1, -1], [1, 0], [-1, -1]]
    assert table.asked == [[0]]
    assert rank(table, k=2, users=[5]).items.tolist() == [[-1, -1]]
    blocks = Blocks(torch.rand(2, 1000))
    assert rank(blocks, k=2, users=[5]).items.tolist() == [[-1, -1]]
    assert rank(blocks, k=2, users=[]).items.tolist() == []


def test_equal_scores_go_by_the_higher_row() -> None:
    # 0.0 and -0.0 are equal.
    ranking = rank(Table([[1.0, 1.0, 1.0, 2.0], [0.0, -0.0, -5.0, 0.0]]), k=2)
    assert ranking.items.tolist() == [[3, 2], [3, 1]]


def test_what_the_scorer_rules_out_is_not_recommended() -> None:
    assert rank(Table([[-torch.inf, 1.0, -torch.inf]]), k=2).items.tolist() == [[1, -1]]


def test_a_scorer_keeps_its_own_tensor() -> None:
    table = Table([[1.0, 2.0]])
    rank(table, k=1, drop=item_lists([[0, 1]]))
    assert table.rows.tolist() == [[1.0, 2.0]]


def test_blocks_are_bounded() -> None:
    table = Table(torch.rand(10, 7, generator=torch.Generator().manual_seed(0)))
    rank(table, k=2, block_scores=22)  # 22 // 7 = 3 users
    assert [len(users) for users in table.asked] == [3, 3, 3, 1]
    table.asked.clear()
    rank(table, k=2, block_scores=1)  # one user is the least
    assert [len(users) for users in table.asked] == [1] * 10


def test_progress_counts_the_users_that_are_done() -> None:
    done: list[int] = []
    table = Table(torch.rand(5, 3, generator=torch.Generator().manual_seed(0)))
    top_k(table, torch.arange(5), k=1, drop=None, block_scores=6, progress=done.append)
    assert done == [2, 2, 1]


levels = st.sampled_from([-torch.inf, -1.5, -0.0, 0.0, 0.25, 1.0])


@settings(deadline=None)
@given(
    scores=st.integers(1, 6).flatmap(
        lambda width: st.lists(
            st.lists(levels, min_size=width, max_size=width), min_size=1, max_size=6
        )
    ),
    k=st.integers(1, 7),
    block_scores=st.integers(1, 40),
    data=st.data(),
)
def test_any_block_size_gives_the_full_sort(
    scores: list[list[float]], k: int, block_scores: int, data: st.DataObject
) -> None:
    items = st.sets(st.integers(0, len(scores[0]) - 1))
    dropped = [sorted(data.draw(items)) for _ in scores]
    ranking = rank(Table(scores), k, drop=item_lists(dropped), block_scores=block_scores)
    for row, row_scores in enumerate(scores):
        kept = [i for i, s in enumerate(row_scores) if s > -torch.inf and i not in dropped[row]]
        best = sorted(kept, key=lambda item: (row_scores[item], item), reverse=True)[:k]
        assert ranking.items[row].tolist() == best + [-1] * (k - len(best))


class Blocks(Table):
    """A table that is read by blocks of items."""

    def score_block(self, users: Tensor, first: int, last: int) -> Tensor:
        self.asked.append([first, last])
        return self.rows[users, first:last]


@pytest.mark.parametrize("levels", [3, 1_000_000])
def test_blocks_of_items_give_the_lists_of_whole_rows(levels: int) -> None:
    generator = torch.Generator().manual_seed(levels)
    rows = torch.randint(levels, (40, 40_001), generator=generator).float()
    drop = item_lists([sorted({0, 8191, 8192, user, 40_000}) for user in range(40)])
    blocks = Blocks(rows)
    for k in (3, 300):
        ranking = rank(blocks, k, drop=drop)
        whole = rank(Table(rows), k, drop=drop, block_scores=10**7)
        assert torch.equal(ranking.items, whole.items)
        assert torch.equal(ranking.scores, whole.scores)
    ends = [last for _, last in blocks.asked]  # the last block is longer, not shorter
    assert ends[:5] == [8192, 16384, 24576, 40_001, 8192]


@settings(deadline=None)
@given(scores=st.lists(levels, min_size=1, max_size=8), k=st.integers(1, 9), data=st.data())
def test_one_ranking_for_all_gives_the_lists_of_a_table(
    scores: list[float], k: int, data: st.DataObject
) -> None:
    items = st.sets(st.integers(0, len(scores)))  # the last of them is cold
    dropped = data.draw(st.lists(items, min_size=1, max_size=5))
    lists = item_lists([sorted(of_user) for of_user in dropped])
    users = torch.arange(len(dropped))
    for drop in (None, lists):
        one = top_k(OneRanking(torch.tensor(scores)), users, k=k, drop=drop, block_scores=1)
        table = rank(Table([scores] * len(users)), k, drop=drop)
        assert torch.equal(one.items, table.items)
        assert torch.equal(one.scores.view(torch.int32), table.scores.view(torch.int32))


def test_scores_that_are_no_numbers_are_refused() -> None:
    text = r"Table gave 1 of 2 users a score .* first in user row 1 \(nan\).* lower optimizer\.lr"
    with pytest.raises(TrainingError, match=text):
        rank(Table([[1.0, 2.0], [1.0, torch.nan]]), k=1)
    with pytest.raises(TrainingError, match=r"2 of 2 users .* user row 0 \(inf\)"):
        rank(Table([[torch.inf, 2.0], [1.0, torch.inf]]), k=1)


def test_nan_is_refused_even_where_it_would_be_dropped() -> None:
    with pytest.raises(TrainingError, match="not a finite number"):
        rank(Table([[1.0, torch.nan]]), k=1, drop=item_lists([[1]]))


def test_scores_of_another_shape_are_refused() -> None:
    table = Table([[1.0, 2.0]])
    table.n_items = 3
    with pytest.raises(
        TrainingError, match=r"shape \(1, 2\) for 1 users and 3 items; expected \(1, 3\)"
    ):
        top_k(table, torch.tensor([0]), k=1, drop=None, block_scores=9)
