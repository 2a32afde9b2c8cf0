"""What users give to commands, readers and functions: BB660-BB689."""


class UsageErrors:
    """Messages of exceptions, part of `Errors`."""

    # Files that are handed to a reader of others
    BB661 = (
        "{reader} reads {ending} files, but {path!s} has {found}. In the block of the corpus, set @readers to {other}; "
        "`python -m spacy convert` makes .spacy files."
    )

    # Names of components
    BB663 = (
        "init-config: there is no component {unknown}.{hint} Expected components of this package ({ours}) or of spaCy "
        "and other packages ({stock})."
    )

    BB664 = "--{name}: [{section}] of the config has no such setting, only {known}.{hint}"

    BB665 = "Question {number} is blank. Write it out, or leave out its -q."

    BB666 = (
        "QuestionAnswerer: got {value!r}. Expected a question and its context, as texts: (question=..., context=...), "
        "or a dictionary with these two, or a list of such dictionaries."
    )

    # Evaluation
    BB667 = "{path!s} has nothing that the pipeline could be scored on:\n{problems}"

    # What cannot be shown
    BB671 = "visualize.render was given {given!r}. Expected a Doc or several: run the pipeline on the text first."
    BB672 = (
        "visualize.render: nothing has answered questions about this. Set doc._.questions, then run a "
        "pipeline with bigbird_span_qa on it."
    )

    BB673 = (
        "visualize.render: the document has no group of spans {key!r}, only: {known}. Give spans_key, and run a "
        "pipeline with bigbird_spancat on the text first."
    )

    # What stops a training, or a plot at the end of one
    BB668 = "Plots need the package matplotlib: pip install 'spacy-bigbird[plot]'."
    BB669 = (
        "Component {encoder!r} is in frozen_components but not in annotating_components, so {reader!r} gets no vectors "
        "of it and the training fails. Add {encoder!r} to annotating_components."
    )
    BB670 = (
        "Component {reader!r} comes from a saved pipeline, but its encoder {encoder!r} is new: spaCy disables the "
        "former while it initializes the latter, so the two are not connected and the training ends with spaCy's E203. "
        "Its advice, annotating_components, does not help: {reader!r} was trained on vectors of another encoder. Take "
        "both from the saved pipeline (`source`), or neither."
    )

    # Settings that name labels
    BB662 = (
        "Component {name!r}: class_weights names the labels {unknown}, but there are only {labels}.{hint} Correct the "
        "setting, or the labels of the data."
    )

    # The length of a training
    BB660 = (
        "The learning rate is 0 from step {step:,} on, but the training {limit}: nothing is learned in the remaining "
        'steps. Set @schedules = "spacy-bigbird.warmup_linear.v1" with total_steps = ${{training.max_steps}} in '
        "[training.optimizer.learn_rate], or give --training.optimizer.learn_rate.total_steps."
    )
