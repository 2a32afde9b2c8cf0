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
