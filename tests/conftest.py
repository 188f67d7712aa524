pytest_plugins = ["tests.simulation"]
