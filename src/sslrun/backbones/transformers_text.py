"""BERT, GPT-2, Llama and CLIP's text encoder of the library `transformers`."""

import dataclasses
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoModel, BertConfig, GPT2Config, LlamaConfig
from transformers.utils import logging

from sslrun.backbones.base import Encoder, Tokens
from sslrun.backbones.transformers_checkpoint import (
    CLIP_HEADS,
    architecture_of,
    library_entries,
    plain_architecture,
    without_prefix,
)
from sslrun.backbones.weights import layers_of
from sslrun.config.backbone.transformers import TransformersConfig
from sslrun.config.errors import ConfigError
from sslrun.nn.padding import masked_mean

CLIP = "clip_text_model"
CAUSAL = ("gpt2", "llama", CLIP)
HEADS = ("cls.", "lm_head.", "pooler.", "classifier.", "score.")
"""Prefixes of weights outside of the encoder in files of models with heads."""
LAST = ("ln_f", "norm", "final_layer_norm")
"""Prefixes of weights after the blocks."""
PREFIXES = ("bert.", "transformer.", "model.", "text_model.")
"""Prefixes of the encoder's weights in such files."""


class TransformersEncoder(Encoder):
    """Token ids (B, L) -> (B, D), pooled over tokens where `attention_mask` is 1; `tokens` returns (B, L, D).

    If `pretrained` is a folder with transformers' config.json, its architecture overrides the configuration's.

    Attributes:
        head_weights: a CLIP's weights outside of its encoders, under transformers' names.
    """

    reads = "input_ids"
    extra_keys = ("attention_mask",)
    ignored = HEADS
    tokens_are = Tokens.words

    def __init__(self, config: TransformersConfig, inputs: dict[str, Any]) -> None:
        super().__init__()
        architecture = architecture_of(config, known=("bert", *CAUSAL), part="text_config")
        if architecture is None:
            architecture = _architecture(config, inputs)
        else:
            _check_fit(config, architecture, inputs)
            config = _with_architecture(config, architecture)
        self.config, self.pool = config, config.pool
        logging.set_verbosity_error()  # else it warns about the omitted pooler
        options = {"add_pooling_layer": False} if config.name == "bert" else {}
        self.network = AutoModel.from_config(architecture, attn_implementation="sdpa", **options)
        self.num_features = int(architecture.hidden_size)
        self.is_causal = config.name in CAUSAL

    def token_embedding(self) -> Tensor:
        """(V, D)."""
        return self.network.get_input_embeddings().weight

    def forward(self, x: Tensor, *, attention_mask: Tensor | None = None, **rest: Any) -> Tensor:
        """(B, L) -> (B, D)."""
        return self.pooled_and_tokens(x, attention_mask=attention_mask)[0]

    def pooled_and_tokens(
        self,
        x: Tensor,
        keep: Tensor | None = None,
        *,
        is_masked: Tensor | None = None,
        mask_token: Tensor | None = None,
        attention_mask: Tensor | None = None,
        **rest: Any,
    ) -> tuple[Tensor, Tensor]:
        """(B, L) -> (B, D) and (B, L, D); tokens are masked in `x`, by id."""
        assert keep is None and is_masked is None
        if attention_mask is None:
            attention_mask = torch.ones_like(x)
        positions = int(self.network.config.max_position_embeddings)
        excess = max(0, x.shape[1] - positions)  # of padding: batches are padded to a multiple
        x, attention_mask = x[:, :positions], attention_mask[:, :positions]
        # padding is at the end, so causal models need no mask
        options: dict[str, Any] = {} if self.is_causal else {"attention_mask": attention_mask}
        if self.is_causal and self.config.name != CLIP:
            options["use_cache"] = False
        tokens = self.network(input_ids=x, **options).last_hidden_state  # (B, L, D)
        return self._pool(tokens, attention_mask), F.pad(tokens, (0, 0, 0, excess))

    def _pool(self, tokens: Tensor, attention_mask: Tensor) -> Tensor:
        if self.pool == "first":
            return tokens[:, 0]
        if self.pool == "last":
            last = attention_mask.sum(dim=1) - 1  # (B,)
            return tokens[torch.arange(len(tokens), device=tokens.device), last]
        return masked_mean(tokens, attention_mask)

    def load_library_state(self, state: dict[str, Tensor]) -> None:
        """Load weights under transformers' names; heads are ignored, except a CLIP's, which go to `head_weights`."""
        self.head_weights = {k: v for k, v in state.items() if k in CLIP_HEADS}
        state = {k: v for k, v in state.items() if k not in CLIP_HEADS}
        own = self.network.state_dict()
        state = without_prefix(state, own, prefixes=PREFIXES)
        kept = {k: v for k, v in state.items() if k in own or not k.endswith((".attn.bias", ".masked_bias", "_ids"))}
        super().load_library_state(kept)

    def library_config(self) -> dict[str, Any]:
        """Entries for `AutoModel.from_pretrained(FOLDER)`."""
        return library_entries(self.network)

    def layers(self) -> list[list[nn.Parameter]]:
        """Embeddings, then each block, then the parameters after them."""
        blocks = max((m for m in self.network.modules() if isinstance(m, nn.ModuleList)), key=len)
        return layers_of(self.network, blocks, last=LAST)


def _architecture(config: TransformersConfig, inputs: dict[str, Any]) -> Any:
    vocabulary, length, pad = int(inputs["vocab_size"]), int(inputs["max_length"]), int(inputs["pad"])
    token_ids = {"vocab_size": vocabulary, "pad_token_id": pad, "bos_token_id": None, "eos_token_id": inputs.get("end")}
    if config.name == "bert":
        return BertConfig(
            hidden_size=config.width,
            num_hidden_layers=config.depth,
            num_attention_heads=config.heads,
            intermediate_size=config.mlp,
            hidden_dropout_prob=config.dropout,
            attention_probs_dropout_prob=config.dropout,
            max_position_embeddings=length,
            **token_ids,
        )
    if config.name == "gpt2":
        return GPT2Config(
            n_embd=config.width,
            n_layer=config.depth,
            n_head=config.heads,
            n_inner=config.mlp,
            n_positions=length,
            resid_pdrop=config.dropout,
            embd_pdrop=config.dropout,
            attn_pdrop=config.dropout,
            **token_ids,
        )
    return LlamaConfig(
        hidden_size=config.width,
        num_hidden_layers=config.depth,
        num_attention_heads=config.heads,
        num_key_value_heads=config.heads,
        intermediate_size=config.mlp,
        max_position_embeddings=length,
        tie_word_embeddings=True,
        **token_ids,
    )


def _check_fit(config: TransformersConfig, architecture: Any, inputs: dict[str, Any]) -> None:
    """Raise ConfigError if a checkpoint's vocabulary or context length is too small for the dataset."""
    if architecture.vocab_size < inputs["vocab_size"]:
        raise ConfigError(
            f"backbone.pretrained={config.pretrained} has {architecture.vocab_size} tokens, the dataset's tokenizer "
            f"has {inputs['vocab_size']}; use its own tokenizer: dataset.tokenizer={config.pretrained}"
        )
    if architecture.max_position_embeddings < inputs["max_length"]:
        raise ConfigError(
            f"dataset.max_length={inputs['max_length']}: backbone.pretrained={config.pretrained} has "
            f"{architecture.max_position_embeddings} positions; choose at most that many"
        )


def _with_architecture(config: TransformersConfig, architecture: Any) -> TransformersConfig:
    """The config with a checkpoint's architecture, so that it can be rebuilt without the checkpoint."""
    return dataclasses.replace(
        config,
        name=architecture.model_type,
        architecture=plain_architecture(architecture),
        pool="last" if architecture.model_type == CLIP else config.pool,
        width=architecture.hidden_size,
        depth=architecture.num_hidden_layers,
        heads=architecture.num_attention_heads,
        mlp=(
            getattr(architecture, "intermediate_size", None)
            or getattr(architecture, "n_inner", None)
            or 4 * architecture.hidden_size
        ),
    )
