"""A study's journal: which trials there are and their parameters, as Optuna keeps them, in the results folder.

Several searches may share it, also from several machines. Who asks for new trials holds a claim on its folder, so that
each is asked for once. The file's own lock is Optuna's for NFS since version 3, by exclusive creation: the same that
claims need of a file system, and no symbolic links, which shared folders do not all have. A lock whose owner was killed
is broken by Optuna after 30 seconds. Scores are written into it for other programs' sake; records decide.
"""

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UserError
from bench.records.claims import LOOK_SECONDS, ClaimedError, ClaimLostError, claimed
from bench.records.store import make_folder
from bench.tuning.hyperband import NONE
from bench.tuning.sequence import Parameters, Sampler, distributions, points, proposal
from bench.tuning.study import Study

if TYPE_CHECKING:  # importing it takes a second
    import optuna
    from optuna.trial import FrozenTrial

FILE = "journal.log"
FINGERPRINT = "fingerprint"
NOTHING = str(NONE)  # what a journal does not name, it has not: a pruner
GRACE_SECONDS = 30  # after these a lock is taken for a dead process's

# Of a trial that has ended: its score, larger is better; None: it failed.
Scores = Mapping[int, float | None]


class Journal:
    """Of one study."""

    def __init__(self, study: Study) -> None:
        self._study, self._path = study, study.folder / FILE

    def check(self) -> None:
        """Refuse a journal of another study; none at all is fine.

        Raises:
            UserError: it was made for another space, for other settings, by another sampler, or cannot be read.
        """
        if not self._path.exists():
            return
        with self._reading():
            known = self._opened.user_attrs.get(FINGERPRINT) or {}
        now = self._study.fingerprint
        for what in now:
            if known and known.get(what, NOTHING) != now[what]:
                shown = "" if what == "settings" else f" ({known.get(what, NOTHING)}, now {now[what]})"
                raise self._refused(f"was made for another {what}{shown}")
        found = self.parameters()
        if self._study.protocol.sampler == Sampler.qmc and found != list(points(self._study.space, len(found))):
            raise self._refused("was made by other code: its parameters are not those of the sequence")

    def parameters(self) -> list[Parameters]:
        """Of the trials that have been asked for, in their order."""
        if not self._path.exists():
            return []
        with self._reading():
            return [self._ordered(trial.params) for trial in self._opened.get_trials(deepcopy=False)]

    def ask(self, wanted: int, scores: Scores) -> list[Parameters]:
        """The parameters of the first `wanted` trials; those that are missing are asked for, each by one process.

        Args:
            wanted: how many.
            scores: of trials that have ended.

        Raises:
            UserError: the journal cannot be read or written.
        """
        found = self.parameters()
        if len(found) < wanted:
            make_folder(self._path.parent, self._study.cell.config["results_dir"])
            with _alone(self._path.parent), self._reading():
                self._begin()
                found = self.parameters()
                while len(found) < wanted:
                    found.append(self._add(len(found), scores))
        return found[:wanted]

    def tell(self, scores: Scores, stopped: Collection[int] = ()) -> None:
        """Enter the scores of trials that have ended; what is there already stays.

        Args:
            scores: of all trials that have ended.
            stopped: those that were not trained in full.
        """
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        with self._reading():
            for trial in self._opened.get_trials(deepcopy=False):
                if trial.state.is_finished() or trial.number not in scores:
                    continue
                score = scores[trial.number]
                with suppress(UpdateFinishedTrialError):  # another search was faster
                    if trial.number in stopped and score is not None:
                        self._opened.tell(trial.number, state=TrialState.PRUNED, skip_if_finished=True)
                    elif score is None:
                        self._opened.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
                    else:
                        self._opened.tell(trial.number, score, skip_if_finished=True)

    def _begin(self) -> None:
        if FINGERPRINT not in self._opened.user_attrs:
            self._opened.set_user_attr(FINGERPRINT, self._study.fingerprint)

    def _add(self, number: int, scores: Scores) -> Parameters:
        """Write a new trial down, in one step: a killed process leaves all of it or nothing."""
        from optuna.trial import TrialState, create_trial

        space = self._study.space
        if self._study.protocol.sampler == Sampler.qmc:
            parameters = points(space, self._study.protocol.trials)[number]
        else:
            trials = self._opened.get_trials(deepcopy=False)
            parameters = proposal(space, number, [_known(trial, scores) for trial in trials])
        made = create_trial(state=TrialState.RUNNING, params=dict(parameters), distributions=distributions(space))
        self._opened.add_trial(made)
        return parameters

    def _ordered(self, parameters: Mapping[str, Any]) -> Parameters:
        return {one.key: parameters[one.key] for one in self._study.space.dimensions}

    @cached_property
    def _opened(self) -> "optuna.Study":
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        lock = JournalFileOpenLock(str(self._path), GRACE_SECONDS)
        storage = JournalStorage(JournalFileBackend(str(self._path), lock))
        return optuna.create_study(
            storage=storage, study_name=self._study.name, direction="maximize", load_if_exists=True
        )

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(f"cannot read or write the journal {self._path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise self._refused("is damaged") from error

    def _refused(self, why: str) -> UserError:
        return UserError(
            f"the study {self._path} {why}; name another results_dir, or remove {self._path.parent}: "
            "the records of its trials stay, and those of the same settings count again"
        )


def _known(trial: "FrozenTrial", scores: Scores) -> "FrozenTrial":
    """A trial with what its records say; one that failed counts as badly as the worst that did not."""
    from optuna.trial import TrialState, create_trial

    known = [score for score in scores.values() if score is not None]
    score = scores.get(trial.number)
    if trial.number in scores and known:
        value = min(known) if score is None else score
        return create_trial(params=trial.params, distributions=trial.distributions, value=value)
    return create_trial(state=TrialState.RUNNING, params=trial.params, distributions=trial.distributions)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the claim on a folder, however long another process takes to give it back.

    Raises:
        UserError: this process stood still for so long that another has taken the claim over.
    """
    try:
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(claimed(folder))
                    break
                except ClaimedError:
                    time.sleep(LOOK_SECONDS)
            yield
    except ClaimLostError:
        raise UserError(f"another search has taken {folder} over, as this one stood still; start it again") from None
