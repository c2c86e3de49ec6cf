"""Two stores, played in lock-step by random programs: the proof that the fake tells the truth."""

from .truthful import assert_truthful as assert_truthful, replay as replay
from .worlds import world as world
