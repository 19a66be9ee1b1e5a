"""GLUE: eight tasks of English sentences and sentence pairs; Wang et al. 2019, https://arxiv.org/abs/1804.07461.

They are declared in `configs/task/glue/`. WNLI is left out, as in the survey.
"""

from dataclasses import dataclass
from typing import ClassVar

from bench.configuration.folder import CONFIGS
from bench.configuration.schema import Family
from bench.errors import unknown_name
from bench.tasks.around import Around


@dataclass(kw_only=True)
class Glue(Around):
    """One GLUE task; a class below it is one of the same rows.

    Attributes:
        subset: its name on the hub, and in `configs/task/glue/`.
    """

    subset: str

    family: ClassVar = Family.encoder
    inner: ClassVar = ("subset",)

    @property
    def packaged(self) -> str:
        """Named by the subset."""
        known = sorted(file.stem for file in (CONFIGS / "task" / "glue").glob("*.yaml"))
        if self.subset not in known:
            raise unknown_name("GLUE task", self.subset, known)
        return f"glue/{self.subset}"
