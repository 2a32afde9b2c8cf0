"""The encoder and the heads in a spaCy pipeline: BB130-BB299."""


class PipelineErrors:
    """Messages of exceptions, part of `Errors`."""

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
        'Component {reader!r} reads vectors of {encoder!r} that have been dropped, because keep_vectors = "none" and '
        "all components known to listen have read them, and {encoder!r} is not in the pipeline to compute them again. "
        'Set keep_vectors = "float16" or "float32", or keep {encoder!r} in the pipeline.'
    )
    BB135 = "The encoder's setting {name} = {value!r} is not allowed. Expected {expected}."
    BB136 = (
        "spacy-bigbird.BigBirdModel.v1: transformer_config sets {field} = {value!r}, but the weights were made for "
        "{found!r}. With existing weights, only fields such as dropouts and random_pattern can be changed, and "
        "num_hidden_layers and max_position_embeddings can be lower; for another shape, train from scratch with name = "
        "null and vocab_file."
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
    BB242 = "Unknown settings: {unknown}.{hint} Expected any of {known}."
    BB246 = "`ask` was given a {given}. Expected a Doc: create one with nlp.make_doc(text)."
    BB247 = (
        "Component {name!r} reads every question together with its document: nothing of a document can be kept for the "
        "next question. Train it with join_layer set in its model, see docs/bigbird_span_qa.md."
    )
    BB244 = (
        "Expected doc._.choices to be a list of dictionaries with question (str), options (list of str) and, for "
        "training, answer (number of the right option), got {value!r}."
    )
    BB245 = (
        "Expected doc._.masks to be a list of character spans (first, last exclusive) that do not overlap, within the "
        "{length} characters of the text, got {value!r}."
    )
