"""Applying a pipeline to many documents: BB400-BB419."""


class ApplyErrors:
    """Messages of exceptions, part of `Errors`."""

    BB400 = "{given}: {found}. Expected {expected}."
    BB401 = (
        "Some input cannot be read, so nothing was started. Correct these files or leave them out of the inputs; what "
        "is done already stays.\n{problems}"
    )
    BB402 = "{path!s} cannot be the output: {reason}. Choose a new or empty folder."
    BB403 = (
        "{path!s} holds the results of another run: {changed}. To go on with that run, give what it was given; for "
        "these inputs, pipeline and settings, choose another folder."
    )
    BB404 = (
        "Another run is writing to {path!s}. Wait until it ends, or choose another folder. (The lock ends with its "
        "process, even one that was killed.)"
    )
    BB405 = (
        "What {path!s} contains, at document {record} or after it, is not what was there when the run was planned. "
        "Put the file back as it was and run the same command again, or start a new run in another folder."
    )
    BB406 = (
        "The pipeline {name!r} cannot be loaded on the worker {worker}: {reason}. Every worker needs the same packages "
        "and, at the same path, the same pipeline."
    )
    BB407 = (
        "{path!s} cannot be written: {reason}. Nothing that was finished is lost: mend this and run the same command "
        "again."
    )
    BB408 = (
        "Workers were killed {times} times on the same {documents} documents, beginning with record {record} of "
        "{path!s}. Most often memory has run out: use fewer --workers, a smaller --batch-pieces, or leave out the "
        "longest documents. Run the same command again to go on."
    )
    BB409 = "{what} needs the package {package}: pip install 'spacy-bigbird[{extra}]'."
    BB410 = "{name} = {value!r} is not allowed. Expected {expected}."
    BB411 = (
        "The pipeline {name!r} has no vectors of documents: no component writes doc._.trf_data, and it has no word "
        "vectors. Leave out --vectors, or use a pipeline with the component `bigbird`."
    )
    BB412 = "The batch has no column {name!r}, only {found}. Name the column with the texts: text_field=..."
    BB413 = "The pipeline {name!r} has no component `bigbird_span_qa`, only {found}, so nothing would answer questions."
    BB414 = "The document has {length:,} characters, more than the limit of {limit:,}. Raise the limit: --max-length."
    BB415 = "Ray stopped the run: {reason}. What was finished is kept: run the same command again to go on."
