"""What the proofs looked at, counted while they run; ``make isolation`` prints it."""

from collections import Counter

tally: Counter[str] = Counter()
