"""What users give to commands, readers and functions: BB660-BB689."""


class UsageErrors:
    """Messages of exceptions, part of `Errors`."""

    # The length of a training
    BB660 = (
        "The learning rate is 0 from step {step:,} on, but the training {limit}: nothing is learned in the remaining "
        'steps. Set @schedules = "spacy-bigbird.warmup_linear.v1" with total_steps = ${{training.max_steps}} in '
        "[training.optimizer.learn_rate], or give --training.optimizer.learn_rate.total_steps."
    )
