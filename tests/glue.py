"""GLUE's data sets, as the tasks' YAML has them."""

from bench.data.published import Published
from bench.tasks.glue import Glue

SUBSETS = ("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte")


def published(subset: str) -> Published:
    """Columns and rows of one of them."""
    return Glue(name=subset, title="", subset=subset).sources()[0][0]


GLUE = {subset: published(subset) for subset in SUBSETS}
