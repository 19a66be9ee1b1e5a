"""The harness's own plugins, in the place where Hydra looks for plugins; their code is in `bench`."""

from bench.launchers.local import LocalLauncher as _LocalLauncher
from bench.launchers.ray import RayLauncher as _RayLauncher
from bench.launchers.slurm import SlurmLauncher as _SlurmLauncher
from bench.sweeper import ExperimentSweeper as _ExperimentSweeper


class LocalLauncher(_LocalLauncher):
    """`hydra/launcher=local`."""


class SlurmLauncher(_SlurmLauncher):
    """`hydra/launcher=slurm`."""


class RayLauncher(_RayLauncher):
    """`hydra/launcher=ray`."""


class ExperimentSweeper(_ExperimentSweeper):
    """`hydra/sweeper=experiment`, which `bench sweep` chooses."""
