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
        "SentencePiece could not train a vocabulary of {vocab_size} pieces: {reason}. Provide more text or a smaller "
        "vocab_size."
    )
    BB022 = "This is not a SentencePiece model: {found} at byte {position}."
    BB023 = "There is no vocabulary at {path}. {advice}"
    BB024 = "The tokenizer was given a {given}. Expected {expected}."
    BB025 = (
        "A text of {first} pieces and one of {second} do not fit: apart from what must be kept, truncation {strategy} "
        "leaves room for {room} pieces in total. Shorten the text (the question), use a larger max_length, or truncate "
        "the other text."
    )
    BB026 = "The vocabulary {source} has no piece {missing}. Name the special pieces that it does have (cls_token=...)."
    BB027 = "{source} is not a SentencePiece model: {reason}. Copy spiece.model from the checkpoint again."
    BB028 = (
        "{path} cannot be converted to a spiece.model: {reason}. Expected a file written by transformers' fast BigBird "
        "tokenizer."
    )

    # Checkpoints: BB050-BB089
    BB050 = (
        "Checkpoint {given!s}: this is {found}. Expected a directory with config.json and weights (or spiece.model), "
        "or a name on the Hugging Face hub such as google/bigbird-roberta-base. To work without a network, download it "
        "once with `hf download NAME` while there is one, or give the directory."
    )
    BB051 = "{path!s} does not exist. A checkpoint's directory contains config.json along with its weights."
    BB052 = "{path!s} cannot be read as JSON: {reason}. Copy or download the file again."
    BB053 = (
        "{path!s}: model_type is {found!r}, expected {expected}. Use a checkpoint of that type; "
        "spacy_bigbird.model.warm_start turns a BERT or RoBERTa checkpoint into a BigBird."
    )
    BB054 = (
        "{directory!s} contains no weights. Expected one of {expected} (or the index of its parts), found: {found}. "
        "Convert weights in other formats with `save_pretrained` of transformers."
    )
    BB055 = "{path!s} cannot be read: {reason}. It may be truncated or in another format: copy or download it again."
    BB056 = "{path!s} lists a {what} that does not exist: {names}. Copy or download all parts of the checkpoint again."
    BB057 = (
        "{model}: these weights do not fit the configuration. {report}\nCheck that config.json belongs to the weights "
        "and that no override changes shapes; to extend a checkpoint to longer texts, use "
        "spacy_bigbird.model.warm_start."
    )
    BB058 = "{model}: unknown argument {unknown}. Allowed: {allowed}."
    BB059 = "{directory!s} contains no vocabulary. Expected one of {expected}: copy it from the checkpoint's source."
    BB060 = "{directory!s} is a {found} checkpoint: give vocab_file, the spiece.model for the new BigBird."
    BB061 = (
        "{path!s}: {name} has {rows} rows, but the vocabulary in the same directory has ids up to {largest}. They are "
        "not from the same checkpoint: copy both again."
    )
    BB062 = "{path!s}: {name} holds {found}. Expected floating-point numbers: use weights that are not quantized."

    # PyTorch model: BB090-BB129
    BB090 = "Expected exactly one of input_ids and inputs_embeds, got {given}."
    BB091 = "Expected input_ids of shape (batch, seq) or inputs_embeds of shape (batch, seq, hidden_size), got {shape}."
    BB092 = (
        "A sequence of {length} pieces is longer than the model's max_position_embeddings = {limit}. "
        "Split it into windows, or extend the model with spacy_bigbird.model.warm_start."
    )
    BB093 = "attention_mask has shape {mask}, but the batch has shape ({batch}, {columns})."
    BB094 = (
        "Row {row} of the batch has {length} pieces and gets block-sparse attention, which supports padding on the "
        "right only, but its attention_mask has zeros before or between pieces. Pad on the right, or load the model "
        'with attention_type="original_full".'
    )
    BB095 = "Id {id} is outside the vocabulary of {vocab_size} pieces. Check that the tokenizer belongs to the model."
    BB096 = "Lengths {lengths} (total {total}) do not match {ids} ids; each must be at least 1."
    BB100 = "Labels have shape {given}, expected {expected}: one label per score."
    BB101 = "Label {label} does not exist. Expected 0 to {highest}, or -100 for no label."
    BB103 = "{name}: got {given}, expected {expected}."
    BB104 = (
        "{given}: only supported by a model with {needed}. Set it in the configuration, as in from_pretrained(..., "
        "{needed})."
    )
    BB105 = (
        "past_key_values has {layers} layers with (heads, head_size) of {shapes}, expected {expected} layers with "
        "{shape}. Check that the cache belongs to this model."
    )
    BB106 = (
        "generate: every prompt must end with a piece, but a prompt is empty or padded on the right ({columns} "
        "columns). Pad on the left."
    )
    BB107 = (
        "generate: a prompt of {prompt} pieces and {new} new ones exceed the model's {limit} positions. Lower "
        "max_new_tokens."
    )
    BB108 = (
        "Second derivatives (create_graph=True) are not available: the fast backward passes have none. Request first "
        "derivatives only."
    )
    BB102 = "Multiple choice expects inputs of shape (batch, choices, seq), got {given}. Give each choice its own row."

    # The encoder in a spaCy pipeline: BB130-BB189
    BB130 = (
        "PieceListener: the vectors on the document ({kind}) were not written by a spacy-bigbird encoder. Set the "
        "listener's `upstream` to a component with the architecture spacy-bigbird.BigBirdModel.v1."
    )
    BB131 = "PieceListener: the gradient has shape {given} (rows, windows), expected {expected}, as in the output."
    BB132 = (
        "Component {reader!r} was given {number} documents to train on, but they are not the ones that {encoder!r} has "
        "just encoded. Train both in the same call of `nlp.update`, with the same examples in the same order."
    )
    BB133 = (
        "Component {reader!r} listens to {upstream!r}, but the vectors on the document were written by {found!r}. Two "
        "encoders in one pipeline share `doc._.trf_data`: place the reader directly after its own encoder."
    )
    BB134 = (
        "Component {reader!r} reads vectors of {encoder!r} that have already been dropped, because keep_vectors = "
        '"none" and all components known to listen have read them. Set keep_vectors = "float16" or "float32".'
    )
    BB135 = "The encoder's setting {name} = {value!r} is not allowed. Expected {expected}."
    BB136 = (
        "spacy-bigbird.BigBirdModel.v1: transformer_config sets {field} = {value!r}, but the weights were made for "
        "{found!r}. With existing weights, only fields such as dropouts and random_pattern can be changed; for another "
        "shape, train from scratch with name = null and vocab_file."
    )
    BB137 = (
        "The encoder has neither a checkpoint nor a vocabulary to start from. In the config, add to the component's "
        "block [components.NAME.model]\n\n"
        '    name = "google/bigbird-roberta-base"\n\n'
        "or, to train from scratch, instead of `name`\n\n"
        '    vocab_file = "spiece.model"\n'
        '    transformer_config = {"hidden_size": 256, "num_hidden_layers": 4}\n'
    )
    BB138 = (
        "The vocabulary has {pieces} pieces, but the encoder has embeddings for {rows}. Give the vocabulary that the "
        "encoder was trained with, or leave vocab_size out of transformer_config."
    )
    BB139 = (
        "The encoder has no weights{folder}. Call `nlp.initialize()` first, or use `spacy.load` to load a pipeline "
        "that was saved with weights."
    )
    BB140 = "The model {found!r} has no encoder from this package. Use the architecture spacy-bigbird.BigBirdModel.v1."
    BB141 = (
        "The document beginning with {start!r} has {pieces} pieces, but the encoder takes {capacity} at once and "
        'on_oversize = "error". Set on_oversize = "window" to encode all of it in overlapping windows. Texts of more '
        "than 1,000,000 characters also need a higher `nlp.max_length`."
    )
    BB142 = (
        "Component {reader!r} listens to {upstream!r}, but no encoder of that name runs before it (found: {found}). "
        "Correct `upstream` in its config, or place the encoder before it in [nlp] pipeline."
    )
    BB143 = (
        "The weights are those of a decoder (is_decoder = true in config.json), which sees only what comes before. An "
        'encoder reads in both directions: use another checkpoint, or set transformer_config = {"is_decoder": false} '
        "if these weights should learn to do so."
    )
    BB144 = (
        "Component {reader!r} listens to {encoder!r}, which has no weights: spaCy does not initialize components that "
        "are in frozen_components. Take it from a saved pipeline (`source`; `python -m spacy bigbird import` makes "
        "one), or leave it out of frozen_components and set `freeze_layers` of its model to its number of layers."
    )
    BB145 = (
        "spacy-bigbird.PieceListener.v1 (upstream = {upstream!r}) was initialized before its encoder. Put the "
        "encoder's component before this one in [nlp] pipeline, and correct `upstream` if it names another one."
    )

    # Heads in a spaCy pipeline: BB200-BB279
    BB200 = "{name} = {value!r} is not allowed. Expected {expected}."
    BB201 = "Component {name!r} predicts nothing in {number} annotated examples. Train it first, or give more examples."
    BB202 = "Component {name!r} has no labels or no weights yet. Call nlp.initialize, or load a trained pipeline."
    BB240 = (
        "Expected questions as a list of strings, or of dictionaries with the text under 'question' (and, for "
        "training, 'answers' with 'text' and 'answer_start'), got {value!r}. For example: doc._.questions = ['Who "
        "signs?']."
    )
    BB241 = (
        "Component {name!r}: encoder_from = {given!r} is not in the pipeline, which has {found}. Give the name of a "
        "component with a BigBird encoder, or set `name` of the component's model to the folder of a saved encoder."
    )
    BB242 = "Unknown settings: {unknown}. Expected any of {known}."
    BB246 = "`ask` was given a {given}. Expected a Doc: create one with nlp.make_doc(text)."
    BB244 = (
        "Expected doc._.choices to be a list of dictionaries with question (str), options (list of str) and, for "
        "training, answer (number of the right option), got {value!r}."
    )
    BB245 = (
        "Expected doc._.masks to be a list of character spans (first, last exclusive) that do not overlap, within the "
        "{length} characters of the text, got {value!r}."
    )

    # Training, readers and the command line: BB300-BB379
    BB300 = "Cannot read texts from {path!s}: {found}. Expected .txt, .jsonl or .spacy files (.gz, .xz), or folders."
    BB301 = "{path!s} cannot be read: {reason}. Expected UTF-8 text or spaCy's DocBin, complete if it is compressed."
    BB302 = "{path!s}, line {number}: {found!r}. Expected a JSON object with a string `text`."
    BB303 = (
        "{path!s} exists. Choose another folder, or --force to replace it; old checkpoints will not fit the new one."
    )
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
    BB317 = "{path!s} cannot be read as text: {reason}. Expected UTF-8 text files, or folders with .txt files."
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
