"""Reading files, and converting annotations of other tools: BB490-BB519."""


class DocumentErrors:
    """Messages of exceptions, part of `Errors`."""

    # Files: BB490-BB504
    BB490 = "{name} is encrypted. Save a copy without a password in the program that made it, and give that copy."
    BB491 = (
        "{name} has no text on its {pages} pages: they are scanned pictures. Recognize the text first, for example "
        "with `ocrmypdf INPUT OUTPUT`."
    )
    BB492 = (
        "{name} cannot be read: {reason}. Expected a complete file in the format of its ending; if it is damaged, open "
        "it in the program that made it and save it again."
    )
    BB493 = "Reading {name} needs the package {package}: pip install 'spacy-bigbird[files]'."
    BB494 = "{path!s}: there is nothing to read. Expected a file, or a folder with files ending in {endings}."
    BB495 = "{name} cannot be read as text: {reason}. Expected text in UTF-8, or in UTF-16 with a byte order mark."
    BB496 = "{name} unpacks to {size} MB. Expected at most {limit} MB, which no document with text exceeds."
    BB497 = (
        "{name} is encrypted, or a document of Word 2003 or older. Save it as .docx without a password, and give that."
    )

    # Converting annotations: BB505-BB519
    BB505 = "{path!s} does not exist. Expected a file or folder in one of these formats: {names}."
    BB506 = (
        "The format of {path!s} was not recognised. Name it with --from, as one of {names}; docs/convert.md shows what "
        "each looks like."
    )
    BB507 = (
        "{path!s} is not in the format {name!r}: {reason}. Name another with --from, or export the annotations again."
    )
    BB508 = (
        "{path!s}: the column {column!r} holds numbers ({value}) without their names. Save the data set with "
        "save_to_disk or to_parquet, which keep the names, and convert that."
    )
    BB509 = "Reading {path!s} needs the package datasets: pip install 'spacy-bigbird[convert]'."
    BB510 = "--split {shares}: expected two or three positive numbers that add up to 100, such as 80,10,10."
    BB511 = "There are {number} separate documents, too few for {parts} parts. Give fewer shares, or more documents."
    BB512 = "{name!r} is not a format that can be converted from or to here. Expected one of {names}."
    BB513 = "{path!s} in the format {name!r} contains no document that can be used.\n{report}"
    BB514 = "{path!s} already exists. Choose another file, or use --force to overwrite it."
