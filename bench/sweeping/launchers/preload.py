"""What the fork server imports once, so that a worker finds it in memory. Imports only; nothing may start a thread."""

import bench.system.quiet  # noqa: I001  # before the libraries that it silences
import transformers.models.llama.modeling_llama
import transformers.models.roberta.modeling_roberta
import transformers.models.t5.modeling_t5  # noqa: F401

import bench.running.runner
import bench.tasks.classification
import bench.tasks.generation
import bench.tasks.glue
import bench.tasks.mmlu
import bench.tasks.regression
import bench.tasks.wmt16  # noqa: F401
