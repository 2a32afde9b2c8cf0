"""Training on many processes: BB420-BB429."""


class DistributedErrors:
    """Messages of exceptions, part of `Errors`."""

    BB420 = (
        "Process {number} of {count} lost the others while it {doing}: {reason}. One of them has stopped or hangs; see "
        "its own message above. The run has ended: start it again with --resume to go on from its last evaluation."
    )
    BB421 = (
        "The weights of component {component!r} ({name}) differ between the processes after step {step}. Something "
        "changes them outside of the optimizer in one process only; a component must draw random numbers and read "
        "files in the same way everywhere. Go on with one process, or report the component."
    )
    BB422 = (
        "The training in {path!s} was saved by {saved} processes, but this run has {found}: the batches would be "
        "others. Start as many as before (accelerate launch --num_processes {saved}), or start a new run."
    )
    BB423 = "The processes of a run do not have the same {what}: {found}. Give all of them the same config and data."
    BB424 = "A run of {count} processes cannot be set up: {reason}. Start it with `accelerate launch` or `torchrun`."
    BB425 = (
        "`accelerate launch` was asked for several processes, but has started this one alone, as it does without GPUs "
        "and without MPI. Start them with `torchrun --nproc-per-node 2 -m spacy bigbird train ...`."
    )
