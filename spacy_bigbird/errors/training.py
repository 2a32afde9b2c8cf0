"""Corpora, scoring, training, pre-training, checks and the command line: BB300-BB399."""


class TrainingErrors:
    """Messages of exceptions, part of `Errors`."""

    # Training, readers and the command line: BB300-BB379
    BB300 = (
        "Cannot read texts from {path!s}: {found}. Expected .txt, .jsonl or .spacy files (.gz, .xz, .zst), or folders."
    )
    BB301 = "{path!s} cannot be read: {reason}. Expected UTF-8 text or spaCy's DocBin, complete if it is compressed."
    BB302 = "{path!s}, line {number}: {found!r}. Expected a JSON object with a string `text`."
    BB303 = (
        "{path!s} exists. Choose another folder, or --force to replace it; old checkpoints will not fit the new one."
    )
    BB304 = "{path!s} is compressed with Zstandard: pip install 'spacy-bigbird[zst]', or decompress it first."
    BB310 = "{reader}: nothing to read at path = {path!r}. Expected a file or a folder of files in its format."
    BB311 = "{path!s} is not in SQuAD's JSON format (data, paragraphs, context, qas, question, answers): {error}."
    BB312 = (
        "The reference has a question that the predicted document was never asked or that nothing answered: "
        "{question!r} on the document {text!r}. Set doc._.questions (or doc._.choices) on `predicted` before the "
        "pipeline runs, as the readers do (nlp.evaluate(list(QuestionCorpus(path)(nlp))); `spacy evaluate` does not), "
        "and check that the component is not disabled."
    )
    BB313 = "span_qa_scorer: version = {version!r}. Expected '1.1' or '2.0', the version of the SQuAD evaluation."
    BB314 = "Got {questions} questions and {contexts} contexts. Give one context for all questions, or one for each."
    BB315 = (
        "The pipeline has no enabled `bigbird_span_qa` component, only {found}. Train one, or import a checkpoint with "
        "`python -m spacy bigbird import CHECKPOINT OUTPUT --task qa`."
    )
    BB316 = 'No question was given. Ask with -q "...", which can be repeated, or with --questions FILE.'
    BB318 = (
        "{path!s}: some of it cannot be used, and strict = true. Correct it, or set strict = false to leave out what "
        "cannot be used.\n{report}"
    )

    BB319 = "{path!s} cannot be written: {reason}. Choose another location, or fix what is in the way."
    BB320 = "The questions in {path!s} cannot be read: {reason}. Expected a UTF-8 file with one question per line."
    BB321 = "GPU {number} cannot be used: {reason}. Omit --gpu-id (-g) to run on the CPU."
    BB322 = (
        "The language {lang!r} is not available in spaCy here: {reason}. Give the code of one that is, such as en, or "
        "xx for no particular language, or install the package that it needs."
    )
    BB323 = (
        "{path!s} cannot be used for evaluation: {reason}. Expected a .spacy or .jsonl file, questions in SQuAD's "
        ".json, or a folder with files of one of these kinds."
    )
    BB324 = "{path!s} contains no documents to evaluate on."

    BB340 = (
        "{checkpoint!s} has no head for the task {task!r}: the weight {weight!r} is missing. Import it with another "
        "--task, or with --task encoder and train a head."
    )
    BB341 = "None of the token labels is 'O' for outside: {labels}. Correct id2label in the checkpoint's config.json."
    BB342 = "{path!s} is not empty. Choose another folder, or use --force."

    # Going on with a training: BB343-BB349
    BB343 = (
        "{path!s} contains no training to resume: {found}. Give the --output directory of a `spacy train` run whose "
        "config has\n\n"
        "    [training.logger]\n"
        '    @loggers = "spacy-bigbird.ResumableLogger.v1"\n'
    )
    BB344 = "{path!s} is not a complete saved state of a training ({reason}). Start the training again from its config."
    BB345 = (
        "The training in {path!s} finished at step {step}, with {limits}. To continue, raise the limit that ended it, "
        "as in --training.max_steps {more}."
    )
    BB346 = "The training in {path!s} was saved by spaCy {saved}, but this is {found}. Install the former to resume it."
    BB347 = "{names}: cannot be changed in the middle of a training. Expected settings from {expected}."
    BB348 = "The corpus has {found} batches, but {steps} have been done. Use the same corpora, batcher and max_epochs."
    BB349 = "The optimizer's state cannot be {action}: {reason}. Expected a Thinc optimizer, such as Adam.v1."

    # Pre-training: BB350-BB379
    BB350 = "The pre-training config cannot be used:\n{problems}"
    BB351 = "{path} has no text for {stream}. Provide more documents, or lower corpus.streams."
    BB352 = "The pre-training config has {given}. Expected {expected}."
    BB353 = "Training in several processes needs the package accelerate: pip install 'spacy-bigbird[pretrain]'."
    BB354 = "{path!s} is not a saved pre-training state ({reason}). Delete it to resume from the previous state."
    BB355 = (
        "The run that stopped after step {step} had other settings: {changed}. Resume with those, or start a new run "
        "in another directory (to start from the weights of this run, set model.name to its directory)."
    )
    BB356 = "{path!s} already contains a run. Resume it (--resume), or choose another directory."
    BB357 = (
        "The gradient norm is {norm} at step {step}: the run has become numerically unstable. Lower "
        "training.optimizer.learning_rate, warm up for longer, or set training.mixed_precision = false, and resume "
        "from the last state (--resume)."
    )

    # Before training, batches: BB380-BB399
    BB380 = "spacy-bigbird.batch_by_pieces.v1: {name} = {value!r} is not allowed. Expected {expected}."
    BB381 = (
        "Component {reader!r} listens to {upstream!r}, but there is no such encoder before it in the pipeline "
        "({pipeline}). {advice}."
    )
    BB382 = (
        'The config has no encoder from this package. Add a component with the factory "bigbird", or an architecture '
        "such as spacy-bigbird.BigBirdTok2Vec.v1."
    )
    BB383 = "init-config: {name} = {value}. Expected {expected}."
    BB384 = (
        "{path!s} is not a config for `spacy train`: {reason}. `python -m spacy bigbird init-config` writes one; a "
        "config for `bigbird pretrain` is checked by that command, before the first step."
    )
    BB385 = (
        "Component {name!r} is in frozen_components, and spaCy does not initialize components listed there: its "
        "weights would never be read, and training would fail. Take it from a saved pipeline, with `source` in its "
        "block of the config (python -m spacy bigbird import CHECKPOINT OUTPUT --task encoder makes one), or leave it "
        "out of frozen_components and set freeze_layers of its model to its number of layers."
    )
    BB386 = (
        "Component {name!r} has nothing to learn from: none of the {number:,} documents in the train corpus has "
        "{gold}. {advice}"
    )
    BB387 = (
        "The {name} corpus cannot be read: {path}: {reason}. Correct paths.{name} in the config, or give "
        "--paths.{name} PATH; `python -m spacy convert` makes .spacy files."
    )
