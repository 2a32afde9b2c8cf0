"""The service: BB520-BB549."""


class ServeErrors:
    """Messages of exceptions, part of `Errors`."""

    BB520 = "Two pipelines have the same name: {names}. Name them with NAME=PIPELINE."
    BB521 = "The token is missing or wrong. Send the one given to --token: Authorization: Bearer TOKEN."
    BB522 = "Too many requests wait. Try again in {seconds} seconds."
    BB523 = "{what} is too long. Expected at most {limit}."
    BB524 = "There is no pipeline {name!r}. Expected one of {names}."
    BB525 = "The document {key!r} is not kept any more. Send its text again."
    BB526 = "Expected either the id of a document under `document`, or a text under `text`."
    BB527 = "The pipeline {name!r} answers no questions: it has no bigbird_span_qa component."
    BB528 = "The body is {given!r}. Expected {expected}."
    BB529 = "The body is not as expected: {reason}."
    BB530 = "It took longer than {limit}. Send shorter documents or fewer questions, or raise --time-limit."
    BB531 = "The service is stopping. Try again when it has started."
    BB532 = "The service failed on this request, and its log says where. Other requests are not affected."
    BB533 = "The pipeline {place!r} cannot be served: {reason}"
    BB534 = "The service needs the package {package}: pip install 'spacy-bigbird[serve,files]'."
    BB535 = "The settings of the service cannot be used: {reason}."
