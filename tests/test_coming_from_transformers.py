"""Every name in the documentation of transformers' BigBird has its place in the guide, and the place exists."""

import inspect

import pytest
import transformers

from spacy_bigbird.model import BigBirdConfig

from .documentation import DOCS, find, section

GUIDE = DOCS / "coming-from-transformers.md"


def words(text: str) -> list[str]:
    return text.split()


HEADS = [
    "ForPreTraining",
    "ForCausalLM",
    "ForMaskedLM",
    "ForSequenceClassification",
    "ForMultipleChoice",
    "ForTokenClassification",
    "ForQuestionAnswering",
]
THEIR_CLASSES = ["BigBirdConfig", "BigBirdTokenizer", "BigBirdTokenizerFast"] + [
    f"{prefix}BigBird{head}" for prefix in ("", "Flax") for head in ("Model", *HEADS)
]
MODELS = [f"BigBird{head}" for head in ("Model", *HEADS)]
THEIR_CONFIG = words(
    """vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size hidden_act
hidden_dropout_prob attention_probs_dropout_prob max_position_embeddings type_vocab_size initializer_range
layer_norm_eps use_cache pad_token_id bos_token_id eos_token_id sep_token_id attention_type use_bias
rescale_embeddings block_size num_random_blocks classifier_dropout kwargs is_decoder add_cross_attention
output_attentions output_hidden_states return_dict"""
)
EVERYWHERE = words(
    """input_ids attention_mask token_type_ids position_ids head_mask inputs_embeds output_attentions
output_hidden_states return_dict"""
)
DECODING = ["encoder_hidden_states", "encoder_attention_mask", "past_key_values", "use_cache"]
THEIR_FORWARD = {model: {*EVERYWHERE, "labels"} for model in MODELS}
THEIR_FORWARD["BigBirdModel"] = {*EVERYWHERE, *DECODING}
THEIR_FORWARD["BigBirdForCausalLM"] |= set(DECODING)
THEIR_FORWARD["BigBirdForPreTraining"] |= {"next_sentence_label", "kwargs"}
THEIR_FORWARD["BigBirdForQuestionAnswering"] = {*EVERYWHERE, "question_lengths", "start_positions", "end_positions"}
THEIR_OUTPUTS = words(
    """loss hidden_states attentions last_hidden_state pooler_output cross_attentions past_key_values
logits prediction_logits seq_relationship_logits start_logits end_logits"""
)
THEIR_TOKENIZERS = words(
    """vocab_file tokenizer_file unk_token bos_token eos_token pad_token sep_token mask_token cls_token
sp_model_kwargs enable_sampling nbest_size alpha kwargs build_inputs_with_special_tokens token_ids_0 token_ids_1
get_special_tokens_mask already_has_special_tokens create_token_type_ids_from_sequences prepare_for_model
save_vocabulary save_directory filename_prefix"""
)
THEIR_FLAX = words("input_shape seed dtype _do_init gradient_checkpointing params dropout_rng indices_rng train")


def check_place(here: str) -> None:
    """A name that can be imported, with an argument in parentheses that it takes."""
    name, _, argument = here.strip("`").rstrip(")").partition("(")
    value = find(name)
    if argument:
        assert argument in inspect.signature(value).parameters, here


@pytest.mark.parametrize(
    ("heading", "theirs"),
    [
        ("Classes", THEIR_CLASSES),
        ("Arguments of the models' constructors", ["config", "add_pooling_layer"]),
        ("Outputs", THEIR_OUTPUTS),
        ("Tokenizers: arguments and methods", THEIR_TOKENIZERS),
        ("Arguments of the Flax models", THEIR_FLAX),
    ],
)
def test_everything_has_its_place_here(heading, theirs):
    rows = section(GUIDE, heading).rows
    assert {row[0].strip("`") for row in rows} == set(theirs)
    for name, here, remark in rows:
        if here == "no":
            assert remark, name
        else:
            check_place(here)


def test_arguments_of_the_configuration_are_the_same():
    rows = section(GUIDE, "Arguments of `BigBirdConfig`").rows
    assert {row[0].strip("`") for row in rows} == set(THEIR_CONFIG)
    theirs, ours = transformers.BigBirdConfig(), BigBirdConfig()
    for name, here, _ in rows:
        if here == "the same":
            name = name.strip("`")
            assert getattr(theirs, name, None) == getattr(ours, name), name
        elif here != "no":
            check_place(here)


def test_arguments_of_forward_are_the_same():
    told: dict[str, set[str]] = {model: set() for model in MODELS}
    for name, models, here in section(GUIDE, "Arguments of `forward`").rows:
        name = name.strip("`")
        for model in MODELS if models == "all" else models.split(", "):
            told[model].add(name)
            assert here.startswith(("the same", "no: "))
            parameters = inspect.signature(find(f"spacy_bigbird.model.{model}").forward).parameters
            assert (name in parameters) == here.startswith("the same"), (model, name)
    assert told == THEIR_FORWARD


def test_the_tips_hold():
    assert len(section(GUIDE, "Tips").rows) == 7
    config = BigBirdConfig(num_random_blocks=0)
    assert (config.full_attention_up_to, config.attention_type) == (1024, "block_sparse")
