"""The command group `python -m spacy bigbird`, to which the modules in this folder add their commands."""

import typer
from spacy.cli import app as spacy_app

HELP = """BigBird for spaCy: whole documents of 4,096 pieces and more. Check, import and train encoders, train
vocabularies, evaluate pipelines, and ask questions about long documents.
"""

app = typer.Typer(name="bigbird", help=HELP, no_args_is_help=True, rich_markup_mode=None)


spacy_app.add_typer(app, help=HELP)
