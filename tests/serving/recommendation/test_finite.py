"""What a model must not give is a failed model, and no list."""

import numpy as np
import pytest

from serving.recommendation.full_path import require_finite


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_no_client_can_read_is_a_failure(bad: float) -> None:
    with pytest.raises(FloatingPointError, match="NaN or infinity"):
        require_finite(np.array([1.0, bad, 2.0], np.float32))
    require_finite(np.array([1.0, -2.0], np.float32))
    require_finite(np.zeros(0, np.float32))
