#!/usr/bin/env bash
# What to run first on a machine with a GPU: each step proves what the next ones rely on. Ten minutes at most are meant.
#
#   scripts/first_minutes_on_a_gpu.sh               OUT=FOLDER, new or empty, for what it writes; else a temporary one
#   CUDA_VISIBLE_DEVICES= scripts/first_minutes_on_a_gpu.sh       the same on the CPU, at miniature size
#
# A line for each step: ok, FAILED, or skipped with the reason. A step that fails ends nothing; the exit code is the
# number of steps that failed. PYTHON names the interpreter, LIMIT the seconds that one command may take.
set -u

OUT=$(mkdir -p "${OUT:=$(mktemp -d)}" && cd "$OUT" && pwd) || exit 125
if [ -n "$(ls -A "$OUT")" ]; then
    echo "OUT=$OUT is not empty: what is there would be taken for this run's" >&2
    exit 125
fi
cd "$(dirname "$0")/.." || exit 125
if [ -z "${PYTHON:-}" ]; then
    PYTHON=python3
    [ -x .venv/bin/python ] && PYTHON=$PWD/.venv/bin/python
fi
LIMIT=${LIMIT:-240}
export HF_HUB_OFFLINE=1 # nothing here needs the hub
mkdir -p "$OUT/logs"
GPUS=$("$PYTHON" -c 'import torch; print(torch.cuda.device_count() if torch.cuda.is_available() else 0)') || exit 125

# The cell of most steps, on random tokens of full length: on a GPU RoBERTa-base with random weights, without a download.
if [ "$GPUS" -gt 0 ]; then
    CELL=(model=roberta_base task=glue/cola model.weights=random data.limit_train=1920 training.max_steps=60)
    DEVICE=gpu
else
    CELL=(model=miniature/roberta task=miniature/sst2 data.limit_train=640 training.max_steps=20)
    DEVICE=cpu
fi
CELL+=(data.synthetic=true threads=1)
NF4=("${CELL[@]}" method=qlora predict_memory=true training.log_every=5)

limited() { timeout --kill-after=10 "$LIMIT" "$@"; }
bench() { limited "$PYTHON" -m bench "$@"; }
check() { limited "$PYTHON" -m scripts.check_first_minutes "$@"; }
skip() {
    echo "$1"
    return 77
}

number=0 failed=0
# step NAME FUNCTION: what it printed last is said beside the verdict; all of it is in logs/.
step() {
    number=$((number + 1))
    local log begin=$SECONDS verdict
    log="$OUT/logs/$(printf %02d "$number")-$2.txt"
    ("$2") >"$log" 2>&1
    case $? in
    0) verdict=ok ;;
    77) verdict=skipped: ;;
    *) verdict=FAILED failed=$((failed + 1)) ;;
    esac
    printf '%2d %s: %s %s (%d s)\n' "$number" "$1" "$verdict" "$(tail -n 1 "$log")" $((SECONDS - begin))
}

doctor() {
    bench doctor && echo "GPUs: $GPUS"
}

gpu_tests() {
    [ "$GPUS" -gt 0 ] || { skip "no CUDA device"; return; }
    local files
    mapfile -t files < <(grep -rl 'mark\.gpu' tests --include='test_*.py')
    limited "$PYTHON" -m pytest -m gpu -q -p no:cacheprovider "${files[@]}"
}

nf4() {
    bench run "${NF4[@]}" results_dir="$OUT/run" && check "on_a_$DEVICE" "$OUT/run"
}

# Two cells at a time; one of them is the one before. Where they share a GPU, the same by itself: times can be compared.
nf4_sweep() {
    bench run -m "${NF4[@]}" seed=0,1 workers=2 results_dir="$OUT/sweep" && check same "$OUT/run" "$OUT/sweep" || return
    [ "$GPUS" -eq 1 ] || return 0
    bench run -m "${NF4[@]}" seed=0 workers=2 results_dir="$OUT/alone" && check same "$OUT/run" "$OUT/alone"
}

prediction() {
    check prediction "$OUT/run"
}

generation() {
    bench run model=miniature/t5 task=miniature/wmt16 method=lora training.precision=bf16 training.max_steps=10 \
        data.limit_train=320 data.limit_evaluation=16 results_dir="$OUT/bf16" && check generated "$OUT/bf16"
}

# Killed as soon as there is a checkpoint; the same command goes on, and ends like the cell that was not killed.
kill_and_resume() {
    local settings=("${NF4[@]}" checkpoint_seconds=0 results_dir="$OUT/killed") pid waited=0
    "$PYTHON" -m bench run "${settings[@]}" &
    pid=$!
    until [ -n "$(find "$OUT/killed" -path '*/checkpoint/step-*.json' 2>/dev/null)" ]; do
        kill -0 "$pid" 2>/dev/null && [ $((waited += 1)) -lt $((LIMIT * 10)) ] || break
        sleep 0.1
    done
    kill -KILL "$pid" || { echo "it ended before it could be killed"; return 1; }
    wait "$pid" # "Killed" is meant
    bench run "${settings[@]}" && check resumed "$OUT/killed" "$OUT/run"
}

# A batch of 256 is foretold to take 460 MB, and gets 400. On a CPU, what glibc is given back counts no longer.
shrink() {
    export MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=131072
    limited "$PYTHON" -m scripts.with_little_memory 400 run model=miniature/roberta task=miniature/sst2 method=full \
        data.synthetic=true data.limit_train=256 training.batch_size=256 training.max_steps=1 memory_split=false \
        on_oom=shrink save_trained=false threads=1 results_dir="$OUT/shrink" && check shrunk "$OUT/shrink"
}

hidden() {
    CUDA_VISIBLE_DEVICES='' bench run model=miniature/roberta task=miniature/sst2 method=lora training.max_steps=2 \
        data.limit_train=64 data.limit_evaluation=16 results_dir="$OUT/hidden" && check on_a_cpu "$OUT/hidden"
}

spread() { # spread WAY [RESULTS that it has to agree with]
    [ "$GPUS" -ne 1 ] || { skip "one GPU; it takes two"; return; }
    local way=$1
    shift
    bench run "${CELL[@]}" method=lora method.dropout=0 distributed="$way" processes=2 results_dir="$OUT/$way" &&
        check on_two "$OUT/$way" "$@"
}
ddp() { spread ddp; }
fsdp() { spread fsdp "$OUT/ddp"; }

step "what the machine has" doctor
step "the tests marked gpu" gpu_tests
step "one NF4 cell by bench run" nf4
step "the same by a sweep with two workers" nf4_sweep
step "prediction against measurement" prediction
step "generation in bf16" generation
step "a kill and a resume" kill_and_resume
step "out of memory, on_oom=shrink" shrink
step "CUDA hidden on purpose" hidden
step "DDP on two" ddp
step "FSDP on two" fsdp
echo "$failed of $number steps failed; records and logs: $OUT"
exit $((failed < 125 ? failed : 125))
