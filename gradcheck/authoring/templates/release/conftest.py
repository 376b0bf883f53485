pytest_plugins = ["gradcheck.pytest_plugin"]
