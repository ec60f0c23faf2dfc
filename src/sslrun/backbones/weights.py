"""Parameters by layer, and loading of state dicts."""

from collections.abc import Iterable

from torch import Tensor, nn

from sslrun.config.errors import ConfigError


def layers_of(
    network: nn.Module, blocks: Iterable[nn.Module], *, last: tuple[str, ...] = ()
) -> list[list[nn.Parameter]]:
    """Parameters before the blocks, of each block, and, if any, after them.

    Args:
        last: name prefixes of parameters after the blocks; all others come before.
    """
    inside = [list(block.parameters()) for block in blocks]
    seen = {id(p) for block in inside for p in block}
    rest = [(name, p) for name, p in network.named_parameters() if id(p) not in seen]
    before = [p for name, p in rest if not name.startswith(last)]
    after = [p for name, p in rest if name.startswith(last)]
    return [before, *inside, after] if after else [before, *inside]


def load_state(network: nn.Module, state: dict[str, Tensor], *, ignored: tuple[str, ...] = ()) -> None:
    """Load weights; those with a prefix in `ignored` may be missing or surplus.

    Raises:
        ConfigError: names or shapes do not fit.
    """
    own = network.state_dict()
    given = {k: v for k, v in state.items() if not k.startswith(ignored) or k in own}
    wrong = [k for k in own if k not in given and not k.startswith(ignored)]
    wrong += [k for k in given if k not in own]
    wrong += [
        f"{k} {tuple(given[k].shape)} for {tuple(own[k].shape)}"
        for k in own
        if k in given and given[k].shape != own[k].shape
    ]
    if wrong:
        named = ", ".join(sorted(wrong)[:3])
        raise ConfigError(f"the weights file does not fit the backbone: {named} ({len(wrong)} in all)")
    network.load_state_dict(given, strict=False)
