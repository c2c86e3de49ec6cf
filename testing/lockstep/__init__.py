"""Two stores, played in lock-step by random programs: the engine of `assert_truthful`."""
