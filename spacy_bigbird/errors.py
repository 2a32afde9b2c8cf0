"""Every error of the package, with a code to search for: what was given, what was expected, what to do."""


class WithCodes(type):
    """Gives a message its code: `Errors.BB001` reads as "[BB001] ..."."""

    def __getattribute__(cls, name: str) -> str:
        value = super().__getattribute__(name)
        return value if name.startswith("_") else f"[{name}] {value}"


class Errors(metaclass=WithCodes):
    """Messages of exceptions. Fill in with `.format(...)`."""

    # Configuration of the model: BB001-BB019
    BB001 = "BigBirdConfig: {field} = {value!r} is not allowed. Expected {expected}."

    # Tokenizer and vocabulary: BB020-BB049
    BB020 = "{name} = {value!r} is not allowed. Expected {expected}."
    BB021 = (
        "SentencePiece could not train a vocabulary of {vocab_size} pieces: {reason}. "
        "Give more text or a smaller vocab_size."
    )
    BB022 = "This is no SentencePiece model: {found} at byte {position}."
    BB023 = "There is no vocabulary at {path}. {advice}"
    BB024 = "The tokenizer was given a {given}. Expected {expected}."
    BB025 = (
        "A text of {first} pieces and one of {second} do not fit: truncation {strategy} leaves {room} pieces in all "
        "beside what must stay. Shorten the text (the question), give a larger max_length, or truncate the other "
        "text."
    )
    BB026 = "The vocabulary {source} has no piece {missing}. Name the special pieces it does have (cls_token=...)."
    BB027 = "{source} is not a SentencePiece model: {reason}. Copy spiece.model from the checkpoint again."
    BB028 = (
        "No spiece.model can be made of {path}: {reason}. Expected what transformers' fast BigBird tokenizer writes."
    )

    # Checkpoints: BB050-BB089
    BB050 = (
        "Checkpoint {given!s}: this is {found}. Expected a directory with config.json and weights (or spiece.model), "
        "or a name on the Hugging Face hub such as google/bigbird-roberta-base. Without a network, download it once "
        "with `hf download NAME` where there is one, or give the directory."
    )
    BB051 = "{path!s} does not exist. A checkpoint's directory holds config.json beside its weights."
    BB052 = "{path!s} cannot be read as JSON: {reason}. Copy or download the file again."
    BB053 = (
        "{path!s}: model_type is {found!r}, expected {expected}. Give a checkpoint of that type; a BERT or RoBERTa "
        "checkpoint becomes a BigBird with spacy_bigbird.model.warm_start."
    )
    BB054 = (
        "{directory!s} holds no weights. Expected one of {expected} (or the index of its parts), found: {found}. "
        "Weights of another format become one of these with `save_pretrained` of transformers."
    )
    BB055 = "{path!s} cannot be read: {reason}. It may be truncated or of another format: copy or download it again."
    BB056 = "{path!s} lists a {what} that does not exist: {names}. Copy or download all parts of the checkpoint again."
    BB057 = (
        "{model}: these weights do not fit the configuration. {report}\nCheck that config.json belongs to the weights "
        "and that no override changes shapes; spacy_bigbird.model.warm_start extends a checkpoint to longer texts."
    )
    BB058 = "{model}: unknown argument {unknown}. Allowed: {allowed}."
    BB059 = "{directory!s} holds no vocabulary. Expected one of {expected}: copy it from where the checkpoint is from."
    BB060 = "{directory!s} is a {found} checkpoint: give vocab_file, the spiece.model of the BigBird to be."
    BB061 = (
        "{path!s}: {name} has {rows} rows, but the vocabulary beside it has ids up to {largest}. They are not from the "
        "same checkpoint: copy both again."
    )
    BB062 = "{path!s}: {name} holds {found}. Expected floating-point numbers: give weights that are not quantised."

    # PyTorch model: BB090-BB129
    BB090 = "Give either input_ids or inputs_embeds, not {given}."
    BB091 = "Expected input_ids of shape (batch, seq) or inputs_embeds of shape (batch, seq, hidden_size), got {shape}."
    BB092 = (
        "A sequence of {length} pieces is longer than the model's max_position_embeddings = {limit}. "
        "Split it into windows, or extend the model with spacy_bigbird.model.warm_start."
    )
    BB093 = "attention_mask has shape {mask}, but the batch has shape ({batch}, {columns})."
    BB094 = (
        "Row {row} of the batch has {length} pieces and gets block-sparse attention, which takes padding on the right "
        "only, but its attention_mask has zeros before or between pieces. Pad on the right, or load the model with "
        'attention_type="original_full".'
    )
    BB095 = "Id {id} is outside of the vocabulary of {vocab_size} pieces. Do tokenizer and model belong together?"
    BB096 = "Lengths {lengths} (in all {total}) do not fit {ids} ids; each must be at least 1."
    BB100 = "Labels have the shape {given}, expected {expected}: one for each of the scores."
    BB101 = "Label {label} does not exist. Expected 0 to {highest}, or -100 where there is none."
    BB103 = "{name}: got {given}, expected {expected}."
    BB104 = (
        "{given}: only for a model with {needed}. Set it in the configuration, as in from_pretrained(..., {needed})."
    )
    BB105 = (
        "past_key_values has {layers} layers with (heads, head_size) of {shapes}, expected {expected} layers with "
        "{shape}. Does the cache belong to another model?"
    )
    BB106 = (
        "generate: every prompt must end with a piece, but there is padding on the right, or nothing ({columns} "
        "columns). Pad on the left."
    )
    BB107 = (
        "generate: {prompt} pieces and {new} new ones are more than the model's {limit} positions. Lower "
        "max_new_tokens."
    )
    BB108 = (
        "Second derivatives (create_graph=True) are not to be had: the fast backward passes have none. Ask for first "
        "derivatives only."
    )
    BB102 = (
        "Multiple choice takes inputs of shape (batch, choices, seq), got {given}. Give each choice a row of its own."
    )

    # The encoder in a spaCy pipeline: BB130-BB189
    BB130 = (
        "PieceListener: the vectors on the document ({kind}) were not written by a spacy-bigbird encoder. Let the "
        "listener's `upstream` name a component with the architecture spacy-bigbird.BigBirdModel.v1."
    )
    BB131 = "PieceListener: the gradient has the shape {given} (rows, windows), expected {expected} as in the output."
    BB132 = (
        "Component {reader!r} was given {number} documents to train on that are not those which {encoder!r} has just "
        "encoded. Train both in the same call of `nlp.update`, with the same examples in the same order."
    )
    BB133 = (
        "Component {reader!r} listens to {upstream!r}, but the vectors on the document were written by {found!r}. Two "
        "encoders in one pipeline share `doc._.trf_data`: place the reader directly behind its own encoder."
    )
    BB134 = (
        'Component {reader!r} reads vectors of {encoder!r} that were already dropped, because keep_vectors = "none" '
        'and all components known to listen have read them. Set keep_vectors = "float16" or "float32".'
    )
    BB135 = "The encoder's setting {name} = {value!r} is not allowed. Expected {expected}."
    BB136 = (
        "spacy-bigbird.BigBirdModel.v1: transformer_config sets {field} = {value!r}, but the weights were made for "
        "{found!r}. Beside given weights only fields such as dropouts and random_pattern may be changed; train from "
        "scratch with name = null and vocab_file for another shape."
    )
    BB137 = (
        "The encoder has neither a checkpoint nor a vocabulary to start from. Write in the component's block "
        "[components.NAME.model] of the config\n\n"
        '    name = "google/bigbird-roberta-base"\n\nor, to train from scratch, in place of `name`\n\n'
        '    vocab_file = "spiece.model"\n    transformer_config = {"hidden_size": 256, "num_hidden_layers": 4}\n'
    )
    BB138 = (
        "The vocabulary has {pieces} pieces, but the encoder has embeddings for {rows}. Give the vocabulary that the "
        "encoder was trained with, or leave vocab_size out of transformer_config."
    )
    BB139 = (
        "The encoder has no weights{folder}. Call `nlp.initialize()` first, or load with `spacy.load` a pipeline that "
        "was saved with weights."
    )
    BB140 = "The model {found!r} holds no encoder of this package. Use the architecture spacy-bigbird.BigBirdModel.v1."
    BB141 = (
        "The document that begins {start!r} has {pieces} pieces, but the encoder takes {capacity} at once and "
        'on_oversize = "error". Set on_oversize = "window" to encode all of it in overlapping windows. Texts of more '
        "than 1,000,000 characters also need a higher `nlp.max_length`."
    )
    BB142 = (
        "Component {reader!r} listens to {upstream!r}, but no encoder of that name runs before it (there are: "
        "{found}). Correct `upstream` in its config, or place the encoder before it in [nlp] pipeline."
    )
    BB143 = (
        "The weights are those of a decoder (is_decoder = true in config.json), which sees only what comes before. An "
        'encoder reads both ways: give another checkpoint, or set transformer_config = {"is_decoder": false} where '
        "these weights shall learn to."
    )
    BB144 = (
        "Component {reader!r} listens to {encoder!r}, which has no weights: spaCy initializes no component that is in "
        "frozen_components. Take it from a saved pipeline (`source`; `python -m spacy bigbird import` makes one), or "
        "leave it out there and set `freeze_layers` of its model to its number of layers."
    )
    BB145 = (
        "spacy-bigbird.PieceListener.v1 (upstream = {upstream!r}) was initialized before its encoder. Put the "
        "encoder's component before this one in [nlp] pipeline, and correct `upstream` where it names another one."
    )

    # Heads in a spaCy pipeline: BB200-BB279
    BB200 = "{name} = {value!r} is not allowed. Expected {expected}."
    BB201 = "Component {name!r} predicts nothing where {number} examples are annotated. Train it first, or give more."
    BB202 = "Component {name!r} has no labels or no weights yet. Call nlp.initialize, or load a trained pipeline."
    BB240 = (
        "Questions are a list of strings or of dictionaries with the text under 'question' (and, for training, "
        "'answers' with 'text' and 'answer_start'). Got {value!r}. Set for example doc._.questions = ['Who signs?']."
    )
    BB241 = (
        "Component {name!r}: encoder_from = {given!r} is not in the pipeline, which has {found}. Give the name of a "
        "component with a BigBird encoder, or the folder of a saved encoder as `name` of the component's model."
    )
    BB242 = "Unknown settings: {unknown}. Expected some of {known}."
    BB246 = "`ask` was given a {given}. Expected a Doc: nlp.make_doc(text) makes one."
    BB244 = (
        "doc._.choices is a list of dictionaries: question (str), options (list of str) and, for training, answer "
        "(number of the right option). Got {value!r}."
    )
    BB245 = (
        "doc._.masks is a list of stretches (first, last exclusive) that do not overlap, in characters of the text, "
        "which has {length}. Got {value!r}."
    )

    # Training, readers and the command line: BB300-BB379
    BB300 = (
        "Texts cannot be read from {path!s}: it is {found}. Expected .txt, .jsonl or .spacy files (.gz, .xz), or "
        "folders."
    )
    BB301 = "{path!s} cannot be read: {reason}. Expected text in UTF-8 (or spaCy's DocBin), whole if it is compressed."
    BB302 = "{path!s}, line {number}: {found!r}. Expected a JSON object with a string `text`."
    BB303 = "{path!s} exists. Give another folder, or --force to replace it; no checkpoint fits another vocabulary."
    BB310 = "{reader}: nothing to read at path = {path!r}. Expected a file, or a folder with files of its format."
    BB311 = "{path!s} is not in SQuAD's JSON format (data, paragraphs, context, qas, question, answers): {error}."
    BB312 = (
        "The reference has a question that the predicted document was never asked or that nothing answered: "
        "{question!r} on the document {text!r}. Set doc._.questions (or doc._.choices) on `predicted` before the "
        "pipeline runs, as the readers do (nlp.evaluate(list(QuestionCorpus(path)(nlp))), where `spacy evaluate` does "
        "not), and check that the component is not disabled."
    )
    BB313 = "span_qa_scorer: version = {version!r}. Expected '1.1' or '2.0', the SQuAD evaluation that is meant."
    BB314 = "{questions} questions and {contexts} contexts. Give one context for all, or one for each question."
    BB315 = (
        "The pipeline has no `bigbird_span_qa` component that is enabled, only {found}. Train one, or import a "
        "checkpoint with `python -m spacy bigbird import CHECKPOINT OUTPUT --task qa`."
    )
    BB316 = 'No question was given. Ask with -q "...", once per question, or with --questions FILE.'
    BB317 = "{path!s} cannot be read as text: {reason}. Expected text files in UTF-8, or folders with .txt files."
    BB318 = (
        "{path!s}: not all can be used, and strict = true. Correct it, or set strict = false to leave it out.\n{report}"
    )

    BB319 = "{path!s} cannot be written: {reason}. Give another place, or correct what stands in the way."
    BB320 = "The questions in {path!s} cannot be read: {reason}. Expected a file in UTF-8 with one question per line."
    BB321 = "GPU {number} cannot be used: {reason}. Leave out --gpu-id (-g) to run on the CPU."
    BB322 = (
        "spaCy has no language {lang!r} here: {reason}. Give the code of one that it has, such as en, or xx for none "
        "in particular, or install the package that it needs."
    )
    BB323 = (
        "{path!s} has no single kind of evaluation data (found: {found}). Expected a .spacy or .jsonl file, questions "
        "in SQuAD's .json, or a folder with files of one of these kinds."
    )
    BB324 = "{path!s} holds no documents to evaluate on."

    BB340 = (
        "{checkpoint!s} has no head for the task {task!r}: the weight {weight!r} is missing. Import it with another "
        "--task, or with --task encoder and train a head."
    )
    BB341 = "No label of a token is 'O' for outside, among: {labels}. Correct id2label in the checkpoint's config.json."
    BB342 = "{path!s} is not empty. Give another folder, or --force."

    # Going on with a training: BB343-BB349
    BB343 = (
        "{path!s} holds no training to go on with: {found}. Give the --output of a `spacy train` whose config has\n\n"
        '    [training.logger]\n    @loggers = "spacy-bigbird.ResumableLogger.v1"\n'
    )
    BB344 = "{path!s} is no whole saved state of a training ({reason}). Start the training again, from its config."
    BB345 = (
        "The training in {path!s} has finished at step {step}, with {limits}. Raise what ended it to go on, as in "
        "--training.max_steps {more}."
    )
    BB346 = "The training in {path!s} was saved by spaCy {saved}, this is {found}. Install that one to go on with it."
    BB347 = "{names}: not to be changed in the middle of a training. Expected settings of {expected}."
    BB348 = "The corpus has {found} batches, but {steps} are done. Give the same corpora, batcher and max_epochs."
    BB349 = "The optimizer's state cannot be {action}: {reason}. Expected an optimizer of Thinc, such as Adam.v1."

    # Pre-training: BB350-BB379
    BB350 = "The config of the pre-training cannot be used:\n{problems}"
    BB351 = "{path} has no text for {stream}. Give more documents, or lower corpus.streams."
    BB352 = "The config of the pre-training has {given}. Expected {expected}."
    BB353 = "Several processes need the package accelerate: pip install 'spacy-bigbird[pretrain]'."
    BB354 = "{path!s} is no saved state of a pre-training ({reason}). Delete it to go on from the state before it."
    BB355 = (
        "The run that stopped after step {step} had other settings: {changed}. Go on with those, or start a new run in "
        "another directory (model.name = its directory starts from its weights)."
    )
    BB356 = "{path!s} holds a run already. Go on with it (--resume), or give another directory."
    BB357 = (
        "The gradient is {norm} at step {step}: the run has lost its numbers. Lower "
        "training.optimizer.learning_rate, warm up for longer, or set training.mixed_precision = false, and go on "
        "from the last state (--resume)."
    )

    # Before training, batches: BB380-BB399
    BB380 = "spacy-bigbird.batch_by_pieces.v1: {name} = {value!r} is not allowed. Expected {expected}."
    BB381 = (
        "Component {reader!r} listens to {upstream!r}, and no such encoder stands before it in the pipeline "
        "({pipeline}). {advice}."
    )
    BB382 = (
        'The config has no encoder of this package. Add a component with the factory "bigbird", or an architecture '
        "such as spacy-bigbird.BigBirdTok2Vec.v1."
    )
    BB383 = "init-config: {name} = {value}. Expected {expected}."
    BB384 = (
        "{path!s} is no config for `spacy train`: {reason}. `python -m spacy bigbird init-config` writes one; a config "
        "of `bigbird pretrain` is checked there, before the first step."
    )
    BB385 = (
        "Component {name!r} is in frozen_components, and spaCy initializes none that is there: its weights would never "
        "be read, and training fails. Take it from a saved pipeline, with `source` in its block of the config "
        "(python -m spacy bigbird import CHECKPOINT OUTPUT --task encoder makes one), or leave it out of "
        "frozen_components and set freeze_layers of its model to its number of layers."
    )
    BB386 = (
        "Component {name!r} has nothing to learn from: none of {number:,} documents of the train corpus has {gold}. "
        "{advice}"
    )
    BB387 = (
        "The {name} corpus cannot be read: {path}: {reason}. Correct paths.{name} in the config, or give "
        "--paths.{name} PATH; `python -m spacy convert` makes .spacy files."
    )
