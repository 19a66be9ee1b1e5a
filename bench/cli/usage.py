"""What `bench --help` and `bench COMMAND --help` say."""

USAGE = """\
bench: a benchmark of parameter-efficient fine-tuning

  bench run       one cell: train, evaluate, write its record
  bench show      one cell as it is composed, each value with its origin; runs nothing
  bench sweep     all cells of an experiment that have no finished record yet
  bench tune      the settings of an experiment's methods, searched with the same number of trials each
  bench fair      one method and its baselines: the same search, other seeds, the comparison, a paragraph of text
  bench status    where an experiment's cells stand: done, failed, running and where
  bench plan      every cell before it runs: parameters, predicted peak memory
  bench table     the tables of an experiment, from its records
  bench compare   who differs from whom in an experiment, and how surely
  bench findings  the survey's claims against the records
  bench report    tables, figures and findings of all that has been run, as files and one page; serve: while it runs
  bench evaluate  a trained cell, scored on another task or split
  bench export    what a cell has trained, for use elsewhere: peft's files, a transformers model, a model card
  bench reference enter a figure of the paper, to be shown beside ours
  bench cite      BibTeX for the methods, tasks and models of an experiment
  bench fetch     download an experiment's models and data, for machines without a network
  bench task new  a first declaration of a task of your own, from a look at a file
  bench check     a task as a model is given it, whether a method keeps its word on every family, or what a model is
  bench doctor    what this machine can run, and what is missing

Settings are Hydra's: key=value. `bench COMMAND --help` says more.
In bash, eval "$(bench -sc install=bash)" completes commands, settings and names.
"""

HELP = {
    "run": """\
bench run [key=value …] [--config-dir FOLDER] [-m]

Trains and scores one cell, prints the score and the path of its record. A cell with a finished record is not run
again; force=true does. If its weights, data or own code have changed since, rerun=stale runs it again, and rerun=none
keeps it. With -m, several values of a key (seed=0,1,2) make several cells.

  bench run model=miniature/roberta task=miniature/sst2 method=lora seed=0
""",
    "show": """\
bench show [key=value …] [format=text|yaml|json] [--config-dir FOLDER]

Prints the cell that `bench run` would run with the same settings, each value with its origin: the command line, a YAML
file, or the schema's default. What `bench run` refuses is refused. Says which settings of training a method takes over
because it has none of its own for the task. With model.structure=discover it looks inside the model, and prints at the
end what it found, to be pasted into the model's YAML.

  bench show model=roberta_base task=glue/rte method=lora
""",
    "sweep": """\
bench sweep experiment=NAME[,NAME …] [key=value …] [--config-dir FOLDER]

Runs every cell of the experiments that has no finished record yet, longest first, several at a time (workers=N), by
any Hydra launcher (hydra/launcher=local). model=, task= and method= pick from the grid; any other key overrides all
cells. experiment=ablation/METHOD has a method's components off one at a time, with design=factorial all together, on
the model= and task= that are given. dry_run=true names the cells only; only=failed,out_of_memory runs those that ended
so; rerun=stale runs those again whose weights, data or own code have changed since, rerun=none keeps them; force=true
runs all finished ones too; timeout=SECONDS ends a cell that takes longer. Several sweeps may share a results folder:
each cell is run by one of them. Exit code 1 if a cell failed, 130 after Ctrl-C; the same command goes on.

  bench sweep experiment=miniature/glue method=lora,ia3 workers=2
""",
    "tune": """\
bench tune experiment=NAME [trials=16|budget=SECONDS] [sampler=qmc|tpe] [pruner=hyperband [reduction=3] [rungs=3]]
           [tuning_seeds=1000] [out=FOLDER] [dry_run=true] [hydra/launcher=…] [key=value …] [--config-dir FOLDER]

Searches the learning rate, and a knob where a method's YAML names one under `search`, with the same number of trials
(or of device-seconds: budget=) for every model, task and method of the experiment, full fine-tuning included. Trials
are ordinary cells below results_dir/tuning/NAME, scored on data that no table reports; failed ones count. sampler=qmc
covers the space evenly, tpe learns on the way. Prints what was chosen, what lies at an edge of its space, what failed,
the expected best score after n trials, and the best within equal time. pruner=hyperband trains most trials for a part
of the training, and the best again for longer: 17 trials, or a multiple, as long as 8.7. out=FOLDER keeps the settings
as files, for --config-dir FOLDER, and draws what the search has bought. workers=, timeout=, rerun= and other keys are
as for `bench sweep`. dry_run=true says how many cells it is and how many hours of a device, by the records of such
cells, or by their operations on gpu=NAME (this machine's, or an A100) at utilisation=0.3 of its peak. A search that
was stopped goes on with the same command, and several may share one. Exit code 1 if all trials of a method failed.
docs/fairness.md has the protocol and its reasons.

  bench tune experiment=miniature/glue task=miniature/sst2 method=full,lora trials=16 out=chosen
  bench sweep --config-dir chosen experiment=miniature/glue seed=0,1,2,3,4
""",
    "fair": """\
bench fair method=NAME model=NAME[,NAME …] task=NAME[,NAME …] [baselines=full,lora,adapter_s] [seed=0,1,2,3,4]
           [trials=16|budget=SECONDS] [tuning_seeds=1000] [dry_run=true] [results_dir=results] [key=value …]
           [--config-dir FOLDER]

All that a paper's comparison of your method with others takes: the search of `bench tune`, the same for it and for the
baselines; final cells with what was chosen and other seeds; their table; `bench compare` against the method; and a text
for the paper, in Markdown and LaTeX, that states the protocol, what was found, and what does not hold. All of it goes
into results_dir/fair/METHOD; trials lie in results_dir/tuning/fair, where the next method finds the baselines'.
dry_run=true says how many cells it is and how many hours of a device, and runs nothing. Other keys are as for `bench
tune`. The same command goes on where it stopped. Exit code 1 if a method could not be tuned or a final cell failed.

  bench fair --config-dir mine method=mine model=roberta_base task=glue/rte,glue/mrpc trials=16
""",
    "plan": """\
bench plan [experiment=NAME[,NAME …]] [format=table|json] [device_memory=80GiB] [trace=blocks|full] [workers=N]
           [key=value …] [--config-dir FOLDER]

Says what each cell would need, without loading or downloading weights or data: parameters, and the peak memory of
training with its parts, predicted for a GPU (device=cpu: for this machine's processor) from the configuration alone.
device_memory marks cells that do not fit and says what would help. Of a deep model, blocks that are alike are followed
once; trace=full follows every one. workers is the number of processes, by default that of the processors. Standard
error shows how far it is. method=all is every method. docs/memory.md tells how, and how well.

  bench plan experiment=survey/memory device_memory=80GiB
  bench plan model=llama_3_1_8b task=mmlu method=all device_memory=24GiB
""",
    "status": """\
bench status experiment=NAME[,NAME …] [key=value …] [format=text|json] [--config-dir FOLDER]

Counts the cells by status, names those that run with their age and host, those that failed with the first line of the
error, and says why cells are stale: made of other weights, data or code than lie there now. It looks at the cells that
`bench sweep` would look at: give it the same keys. Works while sweeps run, from any machine that sees the results
folder.

  bench status experiment=miniature/glue
""",
    "table": """\
bench table experiment=NAME[,NAME …] [format=csv,latex,markdown,html,figures|all] [out=FOLDER]
            [results_dir=results] [statistic=mean|median] [interval=true] [level=0.95] [compare=full]
            [definition=NAME] [selection=true] [mix_selection=true] [columns=FIELD[,FIELD …]]
            [show=COLUMN[,COLUMN …]] [caption=TEXT] [label=TEXT] [siunitx=true] [pscp.CONSTANT=NUMBER …]
            [--config-dir FOLDER]

Prints the tables of the experiments from their records, and writes them in the formats asked for. interval=true
shows bootstrap intervals over seeds. Scores of a column that share a letter cannot be told apart, and all that share
one with the best are marked as best; compare=METHOD adds * where a score can be told apart from that method's. Cells
with data.score_on=selection are left out; selection=true shows these, and no others. Cells whose settings were chosen
on the reported rows stand beside cells whose settings were chosen on others only with mix_selection=true.
definition=cost shows what each score costs, columns= more fields beside any table (docs/tables.md lists them); of pscp,
PEFT-Bench's score, the notes have the constants and how the ranks hang on them. For a paper: show= keeps these columns,
in this order (cola, cola.f1, trainable, average); caption= and label= are LaTeX's, siunitx=true has its points below
each other; format=figures writes PDF, SVG and PNG as wide as a column. others/*.yaml in --config-dir are figures of
others, shown below ours.

  bench table experiment=miniature/glue format=csv,latex out=results/tables
  bench table experiment=miniature/glue show=trainable,average format=latex caption="GLUE, in miniature" label=tab:mini
  bench table experiment=survey/mmlu definition=cost columns=forgetting,pscp pscp.memory=24e9
""",
    "compare": """\
bench compare experiment=NAME [against=lora] [format=text|markdown|json|csv] [out=FOLDER] [results_dir=results]
              [--config-dir FOLDER]

Holds every method against one of them, and against each other, on each task's main metric, from the records: paired
differences with intervals and tests, corrected by Holm over all of them; methods that cannot be told apart share a
letter. Over tasks: interquartile means, probabilities of improvement and performance profiles, and from ten tasks on
ranks. out= writes files instead of printing, figures too: the profiles, and the diagram of critical differences.
docs/statistics.md has the formulas.

  bench compare experiment=miniature/glue against=full
""",
    "findings": """\
bench findings [experiment=E] [format=text|markdown|json] [results_dir=results]

Holds every claim of the survey against the records: confirmed, refuted, or undecided and what would decide it. Three
seeds decide, of cells whose settings were chosen alike and not on the reported rows. Apart from them, of experiments
ablation/…, which components of a method contribute.

With experiment=E, whose table is one of the survey's: do methods come in the order that the survey states? Nothing is
confirmed or refuted by other models; they agree or they do not.

  bench findings format=markdown
  bench findings experiment=miniature/glue_full
""",
    "report": """\
bench report [results_dir=results] [out=FOLDER] [--config-dir FOLDER]
bench report serve [results_dir=results] [port=8321] [--config-dir FOLDER]

Writes all tables, figures and findings of what has been run, and one HTML page with all of them. The tables in the
table/ of --config-dir are made of every experiment that they fit.

report serve shows this machine's browser where all cells stand, while sweeps run: by state, losses, what is left, and
failures with the end of their logs; and the tables so far. Nothing can be changed there, and no other machine can see
it. port=0 takes a free one. Ctrl-C ends it.

  bench report out=results/report
  bench report serve
""",
    "evaluate": """\
bench evaluate cell=FOLDER/record.json [task=NAME] [split=NAME[,NAME …]] [task.key=value …] [data.key=value …]
               [training.max_length=NUMBER] [device=auto] [base=FOLDER] [out=FILE] [--config-dir FOLDER]

Scores what a finished cell has trained on another task or other rows of its own, and trains nothing. Without task= it
is the cell's, with its settings; without split= the rows that a cell of the task is scored on. A task with another
number of labels, or with another kind of answer, is refused. Prints the metrics and writes them, with the predictions,
as JSON into evaluations/ beside the record: no table reads these. base= says where the base's files are now.

  bench evaluate cell=results/runs/CELL/record.json task=glue/rte
""",
    "export": """\
bench export cell=FOLDER/record.json out=FOLDER [form=peft|merged|state] [device=auto] [base=FOLDER]
             [push=OWNER/NAME [private=true]] [--config-dir FOLDER]

Writes what a finished cell has trained, head included, into a new folder, with a model card (README.md). form=peft: the
peft library's two files. form=merged: folded into the base, a whole model that transformers' Auto classes read, with
its tokenizer. form=state: the method's own tensors and the record, for bench.load. Without form= it is the one that
lies in trained/. A form that the method does not allow is refused with the reason. base= says where the base's files
are now; it has to be the base of the record. Licences in the card are left open. push= uploads the folder
to the Hugging Face hub as whoever is logged in there, into a private repository unless private=false; nothing is ever
uploaded without it. docs/trained.md says more.

  bench export cell=results/runs/CELL/record.json form=merged out=exported
""",
    "reference": """\
bench reference set table=III row=METHOD model=MODEL column=TASK value=NUMBER [source=…] [--config-dir FOLDER]

Enters a figure that you read in the paper; tables show it beside ours. The project itself ships none.

  bench reference set table=III row=lora model=roberta-base column=cola value=… source="the paper, Table III"
  bench reference set table=V row=full training.learning_rate=2e-5 model=llama-7b column=mmlu value=…
""",
    "cite": """\
bench cite [experiment=NAME[,NAME …]] [key=value …] [--config-dir FOLDER]

Prints BibTeX for the survey, the harness, and the methods, tasks and models of the cells that `bench sweep` or `bench
run -m` would run with the same settings, each once. Entries have the authors, title and year where these are certain; a
method without one, as one of your own, gets what its YAML says under `paper`, to be completed.

  bench cite experiment=survey/glue method=lora,ia3 > references.bib
""",
    "fetch": """\
bench fetch [experiment=NAME[,NAME …]] [key=value …] [--config-dir FOLDER]

Downloads the models and data that the cells need into the Hugging Face cache (HF_HOME); copied or shared, it serves
machines without a network. model=, task= and method= pick from the grid. Local models and data need nothing.

  bench fetch experiment=survey/glue model=roberta_base
""",
    "task": """\
bench task new FILE [out=FOLDER] [name=NAME] [force=true]

Looks at a file of rows (csv, tsv, jsonl, parquet) and writes FOLDER/task/NAME.yaml: which columns are text and which is
the label, labels, metrics, what is held out; and FOLDER/training/NAME.yaml, training settings to begin with. It asks
nothing and prints what it assumed; change the YAML as you like. Files that are there are kept unless force=true.

  bench task new reviews.csv out=mine
  bench check --config-dir mine task=reviews
  bench run --config-dir mine task=reviews method=lora
""",
    "check": """\
bench check task=NAME [key=value …] [format=text|json] [--config-dir FOLDER]
bench check method=NAME [key=value …] [format=text|json] [--config-dir FOLDER]
bench check model=NAME [model.key=value …] [sample=TEXT] [format=text|json] [--config-dir FOLDER]

What is named is looked at: where a task is, the task (and model= says for which model); else a method; else a model.

A task is loaded with the model's tokenizer, as `bench run` with the same settings would, but no weights. Shows three
examples as text and as tokens; of each split its rows, how often each answer is right, lengths, the share that
training.max_length cuts and that of unknown tokens; texts that are in both training and evaluation; and the score of
whoever answers without reading. What a run would refuse is refused.

A method is tried on the package's three small models, on random tokens: is it the base at the start,
does all that it counts get a gradient, does what it stores give the same outputs, and the merged model too? Exit code 1
if it breaks a promise.

Of a model it shows where its files are and their fingerprints, its sizes, its places and who says where they are, which
methods it takes and why not the others, what its tokenizer makes of a sample, and whether the weights are whole, are
numbers, and predict the sample better than chance. model.path=FOLDER without model= tells the family itself. Its inside
is read without values; weights are read where they are on this machine and fit its memory, and none are downloaded.
Exit code 1 if a check fails.

  bench check --config-dir mine task=reviews model=roberta_base
  bench check --config-dir mine method=only_norms
  bench check model=llama_3_1_8b model.path=FOLDER
""",
    "doctor": """\
bench doctor

Says what this machine can run: processor, memory, GPU, libraries, access to the Hugging Face hub.

  bench doctor
""",
}
