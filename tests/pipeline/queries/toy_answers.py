"""Questions about a text, and where their answers are."""


def question(text, *answers, **more):
    return {"question": text, "answers": [{"text": t, "answer_start": s} for t, s in answers], **more}


def places(answers):
    return [(answer.text, answer.start_char, answer.end_char) for answer in answers]
