"""Configuration, tokenizer, checkpoints and the PyTorch models: BB001-BB129."""


class ModelErrors:
    """Messages of exceptions, part of `Errors`."""

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
    BB029 = (
        "The added tokens of {source} do not fit together: there is {found}. Copy added_tokens.json, "
        "tokenizer_config.json and tokenizer.json from the same checkpoint."
    )
    BB030 = "{path!s} cannot be read: {reason}. Expected what transformers writes: copy the file again."

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
    BB058 = "{model}: unknown argument {unknown}.{hint} Allowed: {allowed}."
    BB059 = "{directory!s} contains no vocabulary. Expected one of {expected}: copy it from the checkpoint's source."
    BB060 = "{directory!s} is a {found} checkpoint: give vocab_file, the spiece.model for the new BigBird."
    BB061 = (
        "{path!s}: {name} has {rows} rows, but the vocabulary in the same directory has ids up to {largest}. They are "
        "not from the same checkpoint: copy both again."
    )
    BB063 = (
        "revision = {revision!r} was requested of {given!s}, which is a local directory. Only a name on the Hugging "
        "Face hub has revisions: leave it out, or give the name."
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
