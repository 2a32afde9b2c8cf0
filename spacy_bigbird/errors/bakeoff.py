"""Comparing systems: BB750-BB769."""


class BakeoffErrors:
    """Messages of exceptions, part of `Errors`."""

    BB750 = "There is no system {system!r} to compare. Choose from: {known}."
    BB751 = (
        "The config has no block with spacy-bigbird.BigBirdModel.v1 that {system!r} could shorten: heads with an "
        "encoder of their own cannot be compared. Give a config with a `bigbird` component, such as "
        "configs/textcat.cfg."
    )
    BB752 = (
        "The config has no component that can be compared. Expected one of {known}, found the components {found}. Name "
        "another one with --component."
    )
    BB753 = "tfidf labels whole documents, and component {name!r} does not. Leave it out: --systems {others}."
    BB754 = (
        "tfidf needs scikit-learn, which is not installed: pip install 'spacy-bigbird[bakeoff]', or leave it out: "
        "--systems {others}."
    )
    BB755 = "The corpus {path!s} has no documents with labels, so there is nothing to compare."
    BB756 = (
        "The block [corpora.dev] has no setting `path`, so that the test documents could not be read as those for "
        "development are. Use spacy.Corpus.v1 or spacy-bigbird.JsonlCorpus.v1 there."
    )
    BB757 = "spacy-bigbird.within_seconds.v1: seconds = {seconds!r} is not allowed. Expected a number above 0."
    BB758 = "--seeds {seeds!r} is not allowed. Expected different whole numbers with commas in between, such as 0,1,2."
