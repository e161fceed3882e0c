"""Numbers as texts: the one format of each kind."""

from __future__ import annotations

__all__ = ["human", "p_value", "score", "signed"]


def score(value: float | None, half: float | None = None) -> str:
    """Return a metric as text; `half` is half the width of its interval, or its spread.

    >>> score(0.16414, 0.0494), score(0.16414), score(None)
    ('0.1641 ± 0.0494', '0.1641', '')
    """
    if value is None:
        return ""
    return f"{value:.4f}" if half is None else f"{value:.4f} ± {half:.4f}"


def signed(value: float) -> str:
    """Return a difference of metrics with its sign.

    >>> signed(0.0312), signed(-0.0312)
    ('+0.0312', '-0.0312')
    """
    return f"{value:+.4f}"


def human(count: float) -> str:
    """Return a count with three digits.

    >>> human(45_123), human(999_960), human(12)
    ('45.1k', '1.00M', '12')
    """
    for size, unit in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        scaled = float(f"{count / size:.3g}")  # 999,960 is 1.00M
        if scaled >= 1:
            return f"{scaled:#.3g}".rstrip(".") + unit
    return f"{count:.0f}"


def p_value(value: float) -> str:
    """Return a p-value with four decimals.

    >>> p_value(0.0312), p_value(0.00001)
    ('0.0312', '<0.0001')
    """
    return "<0.0001" if value < 0.0001 else f"{value:.4f}"
