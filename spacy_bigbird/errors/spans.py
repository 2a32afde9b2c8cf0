"""Messages of errors of spans of several labels: BB430-BB459."""


class SpanErrors:
    """Errors of `bigbird_spancat`."""

    BB430 = (
        "Component {name!r} finds no span with a probability of at least candidates_threshold = {lowest} in the "
        "annotated examples, so that there is nothing to calibrate. Train it first, or give more examples."
    )
    BB431 = (
        "calibrate: there is no component {names} with probabilities or thresholds that can be fitted. In this "
        "pipeline, those that can be calibrated: {able}."
    )
