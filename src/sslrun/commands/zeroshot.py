"""`sslrun zeroshot`: zero-shot classification and image-text retrieval."""

import numpy as np
import torch

from sslrun.commands.encoders import find_subject
from sslrun.commands.frame import run_with_report
from sslrun.commands.joint import Towers, find_towers, image_vectors
from sslrun.commands.session import Session, print_resolved
from sslrun.config.command.zeroshot import PromptsConfig, ZeroshotConfig
from sslrun.config.errors import ConfigError, DataError
from sslrun.core.rows import Row, RowKey
from sslrun.data.build import build_data
from sslrun.data.loader import evaluation_loader
from sslrun.data.pairs.pairs import PairData
from sslrun.data.vision.images import ImageData
from sslrun.evaluation.features import Features
from sslrun.evaluation.retrieval import retrieval_rows
from sslrun.evaluation.zeroshot import fill_templates, zeroshot_rows
from sslrun.report.tables import results_table
from sslrun.training.plan import loader_workers
from sslrun.training.precision import accelerator_name, resolve_precision


def run(config: ZeroshotConfig) -> float | None:
    """Evaluate a split; writes results.json and report.html into the run folder.

    Returns:
        Zero-shot top-1; None without classes.
    """
    return run_with_report("zeroshot", config, measure)


def measure(session: Session, config: ZeroshotConfig) -> str:
    """Evaluate and return the closing text: results and the report's path."""
    device = accelerator_name(config.accelerator)
    precision = resolve_precision(config.precision, accelerator=device)
    towers = find_towers(config.encoder, device=device, precision=precision)
    data = build_data(find_subject(config.encoder, None, config.dataset).dataset)
    if not isinstance(data, ImageData):
        raise DataError(f"dataset={data.name} holds no images; encoder={config.encoder} compares images with texts")
    if data.classes is None and not isinstance(data, PairData):
        raise DataError(f"dataset={data.name} has neither labels nor captions to evaluate with")
    if not data.size(config.split):
        raise DataError(f"dataset={data.name} has no split={config.split}; choose another split")
    classes = class_names(config.prompts, data)
    with session.open(parent=towers.ref.run):
        resolved = {**data.describe(), "encoder": config.encoder, "device": f"{device}, {precision.value}"}
        if classes:
            count = len(config.prompts.templates)
            resolved["prompts"] = f"{config.prompts.name}: {count} template(s), chance {1 / len(classes):.1%}"
        print_resolved(session, resolved)
        session.start(resolved=resolved, data=data)
        workers = loader_workers(config.loader, devices=1)
        loader = evaluation_loader(
            data, data.evaluation(config.split), batch_size=config.loader.batch_size, workers=workers
        )
        images = image_vectors(towers, loader, data.prepare())
        key = RowKey(encoder=towers.ref.name, dataset=data.name, split=config.split, seed=config.seed)
        rows = class_rows(config, towers, images, classes, key=key) if classes else []
        if isinstance(data, PairData):
            rows += caption_rows(config, towers, images, data, key=key)
        session.finish(rows, data=data)
    shown = [row for row in session.rows if row["metric"].startswith(("top", "recall"))]
    return f"\n{results_table(shown)}\n\nreport   {session.report}"


def class_names(prompts: PromptsConfig, data: ImageData) -> tuple[str, ...]:
    """Names of the classes in prompts; empty without classes.

    Raises:
        ConfigError: the number of names differs from the number of classes.
    """
    if data.classes is None:
        return ()
    if prompts.classes is None:
        return tuple(name.replace("_", " ") for name in data.classes)
    if len(prompts.classes) != len(data.classes):
        raise ConfigError(
            f"prompts.classes names {len(prompts.classes)} classes; dataset={data.name} has {len(data.classes)}: "
            f"{', '.join(data.classes[:10])}"
        )
    return tuple(prompts.classes)


def class_rows(
    config: ZeroshotConfig, towers: Towers, images: Features, classes: tuple[str, ...], *, key: RowKey
) -> list[Row]:
    """Rows of zero-shot classification."""
    assert images.labels is not None
    templates = config.prompts.templates
    texts = fill_templates(classes, templates)
    prompts = towers.text_vectors(texts, batch_size=config.loader.batch_size)
    return zeroshot_rows(
        images.features,
        images.labels,
        prompts.view(len(templates), len(classes), -1),
        classes=classes,
        templates=templates,
        scale=towers.joint.scale,
        key=key,
    )


def caption_rows(config: ZeroshotConfig, towers: Towers, images: Features, data: PairData, *, key: RowKey) -> list[Row]:
    """Rows of retrieval between the readable images and their captions.

    Captions are equal if their strings are, not if their token ids are.
    """
    all_captions = data.captions(config.split)
    captions = [all_captions[i] for i in images.index.tolist()]
    texts = [text for of_image in captions for text in of_image]
    return retrieval_rows(
        images.features,
        towers.text_vectors(texts, batch_size=config.loader.batch_size),
        torch.from_numpy(np.repeat(np.arange(len(captions)), [len(of_image) for of_image in captions])),
        torch.from_numpy(np.unique(texts, return_inverse=True)[1]),
        ks=config.recalls,
        key=key,
    )
