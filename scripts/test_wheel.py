"""Install a wheel into an environment of its own and run the tests against it, in a copy without the package's source.

The environment sees the packages of the one that runs this script, so nothing else is installed again.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What tests read beside the package, but not `spacy_bigbird` itself.
FOLDERS = ("tests", "configs", "docs", "project", "benchmarks", "scripts")
FILES = ("*.md", "*.yml", "*.toml", "*.cfg", "*.cff", "Makefile", "LICENSE")


def install(wheel: Path, folder: Path) -> Path:
    """Make an environment with the wheel. RETURNS (Path): its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    packages = Path(subprocess.check_output([python, "-c", code], text=True).strip())
    # Behind the environment's own packages, and without the editable install of the checkout.
    (packages / "other_packages.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf8")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", wheel], check=True)
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheels", type=Path, help="folder with the wheel")
    parser.add_argument("work", type=Path, help="folder for the environment and the copy of the tests")
    parser.add_argument("--jobs", default="2", help="processes of pytest")
    parser.add_argument("tests", nargs="*", default=["tests"], help="tests to run (default: all)")
    arguments = parser.parse_args()
    (wheel,) = arguments.wheels.glob("spacy_bigbird-*.whl")
    python = install(wheel.resolve(), arguments.work.resolve() / "environment")
    copy = arguments.work.resolve() / "copy"
    copy.mkdir(parents=True)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for source in (source for pattern in FILES for source in ROOT.glob(pattern)):
        shutil.copy(source, copy)
    found = subprocess.check_output(
        [python, "-c", "import spacy_bigbird; print(spacy_bigbird.__file__)"], text=True, cwd=copy
    )
    print(f"Testing {found.strip()}")
    # test_structure is about the source files of a checkout.
    command = [
        python,
        "-m",
        "pytest",
        "-q",
        "-n",
        arguments.jobs,
        "--ignore",
        "tests/test_structure.py",
        *arguments.tests,
    ]
    sys.exit(subprocess.run(command, cwd=copy, env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode)


if __name__ == "__main__":
    main()
