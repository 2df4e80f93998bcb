"""What may be taken for the norm of gradients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from autograder.locale import _

Arrays = list[np.ndarray]


def measures(arrays: Arrays) -> Iterator[tuple[str, np.floating]]:
    """What may be taken for the length of `arrays`."""
    values = np.concatenate([array.ravel() for array in arrays])
    norms = [np.linalg.norm(array) for array in arrays]
    yield _("the norm"), np.linalg.norm(values)
    yield _("the sum of squares"), np.sum(values**2)
    yield _("the sum of absolute values"), np.sum(np.abs(values))
    yield _("the sum of the norms"), np.sum(norms)
    yield _("the mean of the norms"), np.mean(norms)
    yield _("the largest norm"), np.max(norms)
    yield _("the largest absolute value"), np.max(np.abs(values))
    yield _("the root of the mean square"), np.sqrt(np.mean(values**2))
    yield _("the mean absolute value"), np.mean(np.abs(values))
    yield _("the sum"), np.sum(values)
