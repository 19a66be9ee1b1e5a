"""The settings that `bench tune` takes for itself; all others are the sweep's or a cell's."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.cli.arguments import SWEEP_OPTIONS, check_out, sweep_option
from bench.configuration.names import check_path
from bench.configuration.ranges import RANGES, Range, check_number
from bench.errors import UserError, unknown_name
from bench.sweeping.hours import UTILISATION, Speed
from bench.sweeping.stale import check_rerun
from bench.tuning.hyperband import Hyperband
from bench.tuning.sequence import Sampler
from bench.tuning.study import Protocol

SHAPE = {"reduction": ("3", Range(2, 10, whole=True)), "rungs": ("3", Range(2, 6, whole=True))}  # of hyperband
OWN = ("trials", "budget", "sampler", "pruner", "tuning_seeds", *SHAPE, "out", "dry_run", "gpu", "utilisation")
TRIALS = Range(1, 10**4, whole=True)
BUDGET = Range(1, 10**8, whole=True)  # seconds; three years
SHARE_OF_PEAK = Range(0, 1, open=True)
MOST = 256  # trials within a budget of seconds: those that fail at once take none
HYPERBAND = "hyperband"
PRUNERS = ("none", HYPERBAND)


@dataclass(frozen=True)
class TuneSettings:
    """How a search is made.

    Attributes:
        protocol: of all studies.
        experiment: whose cells are tuned.
        out: the folder for what was chosen; None: it is printed only.
        dry_run: whether to say what would be run, and stop.
        rerun: what becomes of stale trials.
        speed: what a dry run reckons operations with.
        cells: what the experiment's cells are composed with.
        sweep: how trials are run, in Hydra's words.
    """

    protocol: Protocol
    experiment: str
    out: str | None
    dry_run: bool
    rerun: str | None
    cells: tuple[str, ...]
    sweep: tuple[str, ...]
    speed: Speed

    @classmethod
    def of(cls, arguments: Sequence[str]) -> "TuneSettings":
        """Read them.

        Raises:
            UserError: a value that is none, or no experiment.
        """
        given = {key: value for key, _, value in (item.partition("=") for item in arguments)}
        own = {key: given[key] for key in OWN if key in given}
        if "," in given.get("experiment", ",") or not given["experiment"]:
            raise UserError("name the experiment, one: bench tune experiment=miniature/glue trials=16 out=FOLDER")
        if "only" in given:
            raise UserError("only= is a sweep's; trials that failed count as trials, and are not run again")
        sampler, pruner = own.get("sampler", Sampler.qmc), own.get("pruner", "none")
        if sampler not in list(Sampler):
            raise unknown_name("sampler", sampler, list(Sampler))
        if pruner not in PRUNERS:
            raise unknown_name("pruner", pruner, PRUNERS)
        if own.get("dry_run", "false") not in ("true", "false"):
            raise UserError(f"dry_run={own['dry_run']} must be true or false")
        check_rerun(given.get("rerun"))
        out = check_path("out", own["out"]) if "out" in own else None
        if out is not None:
            check_out(out, out, None)
        protocol = _pruned(own, Sampler(sampler)) if pruner == HYPERBAND else _protocol(own, Sampler(sampler))
        rest = [item for item in arguments if item.partition("=")[0] not in own]
        sweep = [item for item in rest if item.startswith("hydra") or item.partition("=")[0] in SWEEP_OPTIONS]
        cells = tuple(item for item in rest if item not in sweep)
        words = tuple(map(sweep_option, sweep))
        dry_run = own.get("dry_run") == "true"
        return cls(protocol, given["experiment"], out, dry_run, given.get("rerun"), cells, words, _speed(own))


def _pruned(own: dict[str, str], sampler: Sampler) -> Protocol:
    if "budget" in own:
        raise UserError("budget= takes one trial after the other, and hyperband brackets of them: give trials= instead")
    if sampler != Sampler.qmc:
        raise UserError(f"sampler={sampler} learns from trainings of one length, hyperband makes several; leave it out")
    hyperband = Hyperband(*(_whole(key, own.get(key, usual), allowed) for key, (usual, allowed) in SHAPE.items()))
    trials = _whole("trials", own.get("trials", str(hyperband.round)), TRIALS)
    if trials % hyperband.round:
        whole = trials // hyperband.round * hyperband.round
        near = " or ".join(str(one) for one in (whole, whole + hyperband.round) if one)
        brackets = " + ".join(map(str, hyperband.brackets))
        raise UserError(f"trials={trials} do not fill hyperband's brackets of {brackets}; say trials={near}")
    return Protocol(trials, sampler, _seeds(own), pruner=hyperband)


def _protocol(own: dict[str, str], sampler: Sampler) -> Protocol:
    for key in SHAPE:
        if key in own:
            raise UserError(f"{key}= is pruner=hyperband's; add that, or leave it out")
    if "budget" not in own:
        return Protocol(_whole("trials", own.get("trials", "16"), TRIALS), sampler, _seeds(own))
    if "trials" in own:
        raise UserError("trials= and budget= exclude each other: as many trials for all, or as many device-seconds")
    if sampler != Sampler.qmc:
        raise UserError(f"budget= takes trials in the order of the quasi-random sequence; leave sampler={sampler} out")
    return Protocol(MOST, sampler, _seeds(own), _whole("budget", own["budget"], BUDGET))


def _speed(own: dict[str, str]) -> Speed:
    for key in ("gpu", "utilisation"):
        if key in own and own.get("dry_run") != "true":
            raise UserError(f"{key}= is for the forecast of dry_run=true; leave it out")
    word = own.get("utilisation", str(UTILISATION))
    try:
        share = float(word)
    except ValueError:
        raise UserError(f"utilisation={word} must be a number: {SHARE_OF_PEAK}") from None
    check_number("utilisation", share, SHARE_OF_PEAK)
    return Speed(own.get("gpu"), share)


def _seeds(own: dict[str, str]) -> tuple[int, ...]:
    words = own.get("tuning_seeds", "1000").strip("[]").split(",")
    seeds = tuple(_whole("tuning_seeds", word.strip(), RANGES["seed"]) for word in words)
    if len(set(seeds)) < len(seeds):
        raise UserError(f"tuning_seeds={own['tuning_seeds']} names a seed twice")
    return seeds


def _whole(key: str, word: str, allowed: Range) -> int:
    try:
        number = int(word)
    except ValueError:
        raise UserError(f"{key}={word} must be a number: {allowed}") from None
    check_number(key, number, allowed)
    return number
