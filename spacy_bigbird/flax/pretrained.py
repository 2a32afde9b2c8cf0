"""The base class of the models: a network with its parameters, and their files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import flax
import jax
import jax.numpy as jnp

from ..atomic import replace_file
from ..checkpoint.config_json import read_config, write_config
from ..checkpoint.files import write_weights
from ..checkpoint.hub import resolve_directory
from ..checkpoint.key_map import HUGGINGFACE_PREFIX
from ..model.load_report import LoadReport
from ..model.pretrained import split_overrides
from ..plan.config import BigBirdConfig
from ..warnings import Warnings
from .attention import Array
from .heads import Network
from .inputs import Inputs, bucket, filled_up
from .modules import Decoding
from .weights import Params, check_tree, read_params, to_tensors, with_random

Model = TypeVar("Model", bound="FlaxPretrainedModel")
FLAX_WEIGHTS_NAME = "flax_model.msgpack"


class FlaxPretrainedModel:
    """A network and its parameters. All computation is done by pure functions of the parameters.

    config (BigBirdConfig): the hyper-parameters.
    seed (int): seed of new parameters.
    dtype (Any): type of the computation, such as `jnp.bfloat16`. Parameters and the softmax are in fp32.
    gradient_checkpointing (bool): whether the backward pass recomputes each layer instead of keeping its activations.
    add_pooling_layer (bool | None): whether there is a layer that computes a vector of the whole text from [CLS], which
        some heads need; None for what transformers' Flax class has.

    module (Network): the flax.linen module.
    params (Params): the parameters, in a tree with the names of transformers' Flax classes.
    load_report (LoadReport | None): how well the checkpoint fitted, if the model was loaded from one.
    """

    module_class: type[Network] = Network
    is_base_model = False
    # As in transformers' Flax classes, some heads come without the pooling layer.
    has_pooling_layer = True
    # What a class always sets in its configuration.
    fixed_settings: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        config: BigBirdConfig,
        seed: int = 0,
        dtype: Any = jnp.float32,
        gradient_checkpointing: bool = False,
        add_pooling_layer: bool | None = None,
    ) -> None:
        self.config = config = config.replace(**self.fixed_settings)
        pooling = self.has_pooling_layer if add_pooling_layer is None else add_pooling_layer
        self.module = self.module_class(config, dtype, gradient_checkpointing, pooling)
        self.load_report: LoadReport | None = None
        self._params: Params | None = None
        self._seed = seed
        self._apply = jax.jit(self.module.apply, static_argnames=("deterministic", "output_attentions", "mutable"))

    @property
    def params(self) -> Params:
        """The parameters. They are drawn when they are first asked for, if no checkpoint was loaded."""
        if self._params is None:
            self._params = self.init_params(jax.random.key(self._seed))
        return self._params

    @params.setter
    def params(self, params: Mapping[str, Any]) -> None:
        check_tree(params, self._expected())
        self._params = dict(params)

    def init_params(self, key: Array) -> Params:
        """Draw new parameters.

        key (Array): a key of `jax.random`.
        RETURNS (Params): the tree.
        """
        return jax.jit(self._init)(key)["params"]

    def enable_gradient_checkpointing(self) -> None:
        """Recompute each layer in the backward pass from now on, instead of keeping its activations."""
        self.module = self.module.clone(gradient_checkpointing=True)
        self._apply = jax.jit(self.module.apply, static_argnames=("deterministic", "output_attentions", "mutable"))

    @classmethod
    def from_pretrained(
        cls: type[Model],
        path_or_hub_name: str | Path,
        *,
        revision: str | None = None,
        seed: int = 0,
        dtype: Any = jnp.float32,
        gradient_checkpointing: bool = False,
        **overrides: Any,
    ) -> Model:
        """Load a checkpoint written by this package, or by transformers for PyTorch or Flax.

        path_or_hub_name (str | Path): a directory with config.json and weights, or a name on the Hugging Face hub.
        revision (str | None): branch, tag or commit of a name on the hub.
        seed (int): seed of the parameters that the checkpoint does not have, for instance a head's.
        dtype (Any): type of the computation.
        gradient_checkpointing (bool): as in the constructor.
        **overrides (Any): fields of the configuration to change, and further arguments of the class's constructor.
        RETURNS (FlaxPretrainedModel): the model.
        RAISES FileNotFoundError: there is no such checkpoint, or one of its files is missing.
        RAISES ValueError: a file is corrupt or of another type of model, the base model's weights do not fit, or a
            setting is not allowed.
        RAISES TypeError: an override is neither a field of the configuration nor an argument of the constructor.
        """
        directory = resolve_directory(path_or_hub_name, revision=revision)
        config = BigBirdConfig.from_dict(read_config(directory))
        changes, options = split_overrides(cls, overrides)
        model = cls(config.replace(**changes), seed, dtype, gradient_checkpointing, **options)
        found, report = read_params(directory, model._expected())
        model._params = with_random(found, model.params) if report.missing or report.mismatched else found
        model.load_report = report
        if report.is_worth_a_warning:
            warnings.warn(Warnings.BW050.format(model=cls.__name__, report=report), stacklevel=2)
        return model

    def save_pretrained(self, path: str | Path, params: Params | None = None, *, msgpack: bool = False) -> None:
        """Write config.json and model.safetensors, which our PyTorch classes and transformers read too.

        path (str | Path): directory to write to, created if it does not exist. Existing files are replaced.
        params (Params | None): parameters to save; None for the model's own.
        msgpack (bool): whether to write flax_model.msgpack as well, which transformers' Flax classes read.
        """
        directory = Path(path)
        directory.mkdir(parents=True, exist_ok=True)
        params = self.params if params is None else params
        check_tree(params, self._expected())
        write_weights(directory, to_tensors(params, "" if self.is_base_model else HUGGINGFACE_PREFIX))
        if msgpack:
            content = flax.serialization.to_bytes(params)
            replace_file(directory / FLAX_WEIGHTS_NAME, lambda file: file.write_bytes(content))
        dtype = str(jax.tree_util.tree_leaves(params)[0].dtype)
        write_config(directory, self.config.to_dict(), type(self).__name__.removeprefix("Flax"), dtype)

    def init_cache(self, batch_size: int, max_length: int) -> Params:
        """Create an empty cache of keys and values, for `past_key_values` of a decoder.

        batch_size (int): number of rows.
        max_length (int): number of pieces of the longest row, new ones included.
        RETURNS (Params): the cache.
        """
        shapes = jax.eval_shape(partial(self._init, shape=(batch_size, max_length), init_cache=True), jax.random.key(0))
        return jax.tree_util.tree_map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes["cache"])

    def _expected(self) -> Params:
        return jax.eval_shape(self._init, jax.random.key(0))["params"]

    def _init(self, key: Array, shape: tuple[int, int] = (1, 1), **flags: Any) -> Any:
        config = self.config
        zeros, ones = jnp.zeros(shape, jnp.int32), jnp.ones(shape, bool)
        decoding = Decoding()
        if config.is_decoder and config.add_cross_attention:
            decoding = Decoding(jnp.zeros((*shape, config.hidden_size)), ones)
        factors = jnp.ones((config.num_hidden_layers, config.num_attention_heads))
        return self.module.init(
            key,
            zeros,
            ones,
            jnp.asarray(shape[1]),
            zeros,
            zeros,
            factors,
            decoding,
            deterministic=True,
            **flags,
            **self._extra(zeros),
        )

    def _extra(self, input_ids: Array) -> dict[str, Any]:
        """Further inputs of the network, for its initialization."""
        return {}

    def encode(
        self,
        input_ids: Any,
        attention_mask: Any,
        token_type_ids: Any,
        position_ids: Any,
        head_mask: Any,
        params: Mapping[str, Any] | None,
        dropout_rng: Array | None,
        train: bool,
        output_attentions: bool | None,
        encoder_hidden_states: Any = None,
        encoder_attention_mask: Any = None,
        past_key_values: Params | None = None,
        **extra: Array,
    ) -> Any:
        """Complete and check the inputs, fill them up to a length that is compiled, and apply the network.

        RETURNS (Any): the network's output, cut to the caller's columns.
        RAISES ValueError: the inputs do not fit together or do not fit the model.
        """
        config = self.config
        has_cache = past_key_values is not None
        inputs = Inputs.of(input_ids, attention_mask, token_type_ids, position_ids, config, has_cache)
        columns = inputs.ids.shape[1]
        filled = inputs if has_cache else inputs.filled(bucket(columns, config))
        extra = {name: filled_up(value, filled.ids.shape[1]) for name, value in extra.items()}
        decoding = Decoding()
        if encoder_hidden_states is not None:
            states = jnp.asarray(encoder_hidden_states)
            ones = jnp.ones(states.shape[:2], bool) if encoder_attention_mask is None else encoder_attention_mask
            decoding = Decoding(states, jnp.asarray(ones).astype(bool))
        shape = (config.num_hidden_layers, config.num_attention_heads)
        factors = jnp.ones(shape) if head_mask is None else jnp.broadcast_to(jnp.asarray(head_mask, jnp.float32), shape)
        variables: dict[str, Any] = {"params": self.params if params is None else params}
        if has_cache:
            variables["cache"] = past_key_values
        wanted = config.output_attentions if output_attentions is None else output_attentions
        outputs = self._apply(
            variables,
            filled.ids,
            filled.mask,
            jnp.asarray(columns),
            filled.types,
            filled.positions,
            factors,
            decoding,
            deterministic=not train,
            output_attentions=bool(wanted),
            mutable=("cache",) if has_cache else False,
            rngs=None if dropout_rng is None else {"dropout": dropout_rng},
            **extra,
        )
        if has_cache:
            outputs, state = outputs
            return outputs.replace(past_key_values=state["cache"])
        return outputs.cut(columns)
