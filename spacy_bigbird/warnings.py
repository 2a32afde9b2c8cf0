"""Every warning of the package, with a code to search for: what was found, what it means, what to do."""

from .errors.codes import WithCodes


class Warnings(metaclass=WithCodes):
    """Messages of warnings. Fill in with `.format(...)`. Codes BW001 and up, in the same ranges as the errors."""

    # Checkpoints: BW050-BW089
    BW050 = (
        "{model}: the weights do not match the model. Missing weights are newly initialized and need training. {report}"
    )

    BW051 = (
        "{name}: the encoder has embeddings for {rows} pieces, but its vocabulary has only {pieces}. Tokens that were "
        "added to the vocabulary are treated as plain text: copy added_tokens.json or tokenizer_config.json from the "
        "checkpoint's source."
    )

    # The encoder in a spaCy pipeline: BW130-BW189
    BW130 = (
        "{reader} found no vectors of {encoder} on its documents and continues with zeros: its predictions are "
        "meaningless. Keep the encoder in the pipeline, enabled and before its readers; in training, list it in "
        "annotating_components if a reader is listed there too. Documents that a component makes itself, as with "
        "span.as_doc(), must be encoded first: doc = encoder(doc)."
    )
    BW131 = (
        "The document beginning with {start!r} has {pieces} pieces, but the encoder takes {capacity} at once: the last "
        '{truncated} were cut off, because on_oversize = "truncate". Set on_oversize = "window" to encode everything.'
    )
    BW132 = (
        "A gradient for {encoder!r} arrived after its backward pass and is lost. Update every component between the "
        "encoder's `update` and its `finish_update`, as `spacy train` and `nlp.update` do."
    )
    BW133 = (
        "Component {encoder!r}: the vectors of one batch of {number} documents take {size:.1f} GB. Long documents need "
        "a small batch: set `[nlp] batch_size = 16` in the config, or call `nlp.pipe(texts, batch_size=16)`."
    )

    # Heads in a spaCy pipeline: BW200-BW279
    BW200 = (
        "Component {name!r}: {lost} of {total} annotated entities do not match the tokens of the predicted documents "
        "and are not learned. `python -m spacy bigbird check --misaligned FILE` lists them; correct their offsets."
    )
    BW201 = "Component {name!r}: no valid tags agree with the annotation of {text!r}, so nothing is learned from it."
    BW202 = (
        "Component {name!r}: {lost} of {total} annotations in a batch have labels that it does not know and are not "
        "learned: {labels}. The labels are fixed by `nlp.initialize`, from examples or "
        "[initialize.components.NAME.labels]."
    )
    BW203 = (
        "Component {name!r} will learn nothing: none of the {number} examples has {gold}. A .spacy file keeps them "
        "only if it was stored with DocBin(store_user_data=True); read it with spacy-bigbird.QuestionCorpus.v1."
    )
    BW240 = (
        "The question {question!r} has {pieces} pieces; only the first {limit} were read. Half of an input is for the "
        "document."
    )

    # Training, readers and the command line: BW300-BW379
    BW310 = (
        "{path!s}: some of it cannot be used and is left out (answers still count in the scores by their text, but are "
        "not trained on). Set `strict = true` in the block of the corpus to make this an error.\n{report}"
    )
    BW340 = (
        "The documents do not come in the same order as before step {step}: corpora or batcher have changed, or a "
        "component drew random numbers (spaCy's parser and ner do). In the rest of epoch {epoch}, some documents may "
        "come a second time and others not at all; later epochs are complete."
    )

    # Before training, batches: BW380-BW399
    BW380 = (
        "Component {name!r} cannot be scored: none of the {number:,} documents in the {corpus} corpus has {gold}. Its "
        "score says nothing about which pipeline is best. {advice}"
    )

    # Spans of several labels: BW430-BW459
    BW430 = (
        "Component {name!r}: {lost} of {total} annotated spans in a batch do not match the tokens of the predicted "
        "documents and are not learned. `python -m spacy bigbird check --misaligned FILE` lists them; correct their "
        "offsets."
    )

    # Files: BW490-BW504
    BW490 = "{name}: {empty} of {pages} pages have no text, and may be scanned pictures. The others were read."

    # What users give to commands, readers and functions: BW660-BW689
    BW660 = (
        "The training ends after {steps:,} steps, while the learning rate is still rising: it gets to {share:.0%} of "
        "its highest value. Lower --training.optimizer.learn_rate.warmup_steps, or train for longer."
    )
    BW661 = (
        "The training ends after {steps:,} steps, while the learning rate is still at {share:.0%} of its highest "
        "value, since its schedule is for {zero:,} steps. Set the number of steps: --training.max_steps {steps} if "
        "the schedule has total_steps = ${{training.max_steps}}, or else total_steps as well."
    )
    BW662 = "Component {name!r}: blank questions get no answer ({number})."

    # The cache of frozen layers: BW460-BW469
    BW460 = (
        "The cache {path!s} stores nothing more: {reason}. Training and prediction go on without it, more slowly. Make "
        "room (`python -m spacy bigbird cache clear FOLDER`), or change `cache_dir` or `cache_gb` of the component."
    )

    # Stretches of documents: BW475-BW479
    BW475 = (
        "Training may end before it gets to whole documents: it ends after {patience:,} steps without a better score "
        "(`patience`), and stretches are used until step {until:,}. Lower `until` of the batcher, or raise `patience`."
    )

    # Between the encoder and the components that listen to it: BW630-BW659
    BW630 = "Another package has registered the attribute {attribute} in a form that cannot hold our values: {advice}."

    # The service: BW520-BW549
    BW520 = (
        "Everyone who can reach {host} may read documents with this service. Give a --token, and put a proxy with "
        "encryption (https) in front of it."
    )
