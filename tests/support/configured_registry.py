"""A RegistryProcess with a configuration file of its own, which may change between two starts."""

import json

import registry_process


class ConfiguredRegistry(registry_process.RegistryProcess):
    """`configuration` is written as JSON, which is YAML, at each start."""

    def __init__(self, configuration, **settings):
        super().__init__(**settings)
        self.configuration = configuration
        self.configuration_path = self.workspace / "configuration.yml"

    def spawn(self):
        self.configuration_path.write_text(json.dumps(self.configuration))
        return super().spawn()

    def command(self):
        return [*super().command(), "-c", str(self.configuration_path)]


def from_arguments(options, configuration, **overrides):
    settings = {"binary": options.binary, "io": options.io, "keep": options.keep}
    settings.update(overrides)
    return ConfiguredRegistry(configuration, **settings)
