import pickle

import pytest

from commhub.hidden import Pii, Secret


def test_wrapped_values_compare_and_reveal_but_are_not_pickled() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Pii("a")
    assert not Secret("")
    assert Secret("a").reveal() == "a"
    assert {Secret("a"): 1}[Secret("a")] == 1
    assert f"{Secret('a'):>5}" == "  ***"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret("a"))
