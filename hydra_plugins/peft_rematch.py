"""The harness's own plugins, in the place where Hydra looks for plugins; their code is in `bench`."""

from bench.sweeping.launchers.local import LocalLauncher as _LocalLauncher
from bench.sweeping.launchers.ray import RayLauncher as _RayLauncher
from bench.sweeping.launchers.slurm import SlurmLauncher as _SlurmLauncher
from bench.sweeping.sweeper import ExperimentSweeper as _ExperimentSweeper


class LocalLauncher(_LocalLauncher):
    """`hydra/launcher=local`."""


class SlurmLauncher(_SlurmLauncher):
    """`hydra/launcher=slurm`."""


class RayLauncher(_RayLauncher):
    """`hydra/launcher=ray`."""


class ExperimentSweeper(_ExperimentSweeper):
    """`hydra/sweeper=experiment`, which `bench sweep` chooses."""
