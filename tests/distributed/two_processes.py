"""What two processes do in the tests, each started with the environment that torchrun and accelerate launch give it."""

import os
import signal
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any

import spacy
import torch
from spacy.training.initialize import init_nlp
from thinc.api import Config

from spacy_bigbird.distributed.processes import Processes
from spacy_bigbird.resume.loop import resume, train


def join(number: int, port: int) -> None:
    os.environ |= {"RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)


def run(number: int, port: int, configs: list[tuple[dict[str, Any], Path]], folder: Path) -> None:
    """Train one config after the other, with resume where the output is there already."""
    join(number, port)
    try:
        with Processes.joined(timeout=timedelta(minutes=5)) as processes:
            for config, output in configs:
                if (output / "resume").exists():
                    resume(
                        output, overrides={"training.max_steps": config["training"]["max_steps"]}, processes=processes
                    )
                else:
                    train(init_nlp(Config(config)), output, processes=processes)
    except Exception:
        (folder / f"error-{number}").write_text(traceback.format_exc())
        raise


def die(number: int, port: int, config: dict[str, Any], folder: Path) -> None:
    """Train until the second process is killed in the middle of a step."""
    join(number, port)
    update = spacy.language.Language.update
    steps = 0

    def dying(*arguments: Any, **given: Any) -> Any:
        nonlocal steps
        steps += 1
        if number == 1 and steps == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return update(*arguments, **given)

    spacy.language.Language.update = dying  # type: ignore[method-assign]
    try:
        with Processes.joined(timeout=timedelta(minutes=5)) as processes:
            train(init_nlp(Config(config)), folder / "died", processes=processes)
    except Exception as error:
        (folder / f"error-{number}").write_text(f"{type(error).__name__}: {error}")
