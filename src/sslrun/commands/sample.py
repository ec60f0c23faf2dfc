"""`sslrun sample`: continue a prompt with a trained gpt."""

from collections.abc import Iterable

from sslrun.backbones.folder import load_encoder
from sslrun.commands.encoders import find_subject
from sslrun.config.command.sample import SampleConfig
from sslrun.config.errors import ConfigError
from sslrun.data.text.tokenizer import read_tokenizer
from sslrun.evaluation.generation import generate
from sslrun.runs.encoders import CheckpointRef, FolderRef, parse_encoder
from sslrun.runs.manifest import read_manifest
from sslrun.training.precision import accelerator_name


def run(config: SampleConfig) -> None:
    """Print `count` continuations, each after the prompt."""
    match parse_encoder(config.encoder):
        case CheckpointRef(run=run):
            subject = find_subject(config.encoder, None, None)
            encoder, folder = subject.build(read_manifest(run)["inputs"]), run / "inputs"
        case FolderRef(folder=folder):
            encoder = load_encoder(folder)
        case _:
            raise ConfigError(f"encoder={config.encoder} is not a trained language model; name a run of method=gpt")
    if not encoder.is_causal or not (folder / "tokenizer.json").is_file():
        raise ConfigError(f"encoder={config.encoder} cannot generate text; name a run of method=gpt")
    tokenizer = read_tokenizer(folder)
    prompt: Iterable[int] = tokenizer.encode([config.prompt]).ids if config.prompt else []
    device = accelerator_name(config.accelerator)
    texts = generate(
        encoder.eval().to(device),
        [int(i) for i in prompt] or [tokenizer.end],
        count=config.count,
        max_new_tokens=config.tokens,
        temperature=config.temperature,
        top_k=config.top_k,
        end=tokenizer.end if config.stop else None,
        banned=sorted(set(range(tokenizer.size)) - {*tokenizer.ordinary.tolist(), tokenizer.end}),
        max_length=int(encoder.inputs["max_length"]),
        seed=config.seed,
    )
    for ids in texts:
        print(config.prompt + tokenizer.decode(ids))
        if config.count > 1:
            print("---")
