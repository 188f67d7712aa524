pytest_plugins = ["tests.simulation", "tests.simulation_inbox"]
