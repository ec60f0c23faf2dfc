import pickle

import numpy as np
import pytest
from torch.utils.data import DataLoader

from sslrun.config.errors import ConfigError
from sslrun.config.schema import AugmentationConfig, ViewConfig
from sslrun.core.batch import ViewsBatch
from sslrun.data.vision.augment import Policy, side_of
from sslrun.data.vision.transforms import ImageFacts

SHIPPED = ("simclr", "simclr_cifar", "byol", "weak", "none", "digits")


def noise(side=32, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (side, side, channels), np.uint8)


def one_view(*transforms, **facts):
    config = AugmentationConfig(name="test", views=[ViewConfig(transforms=list(transforms))])
    return Policy(config, ImageFacts(**({"image_size": 16, "channels": 3} | facts)))


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("side", [8, 32, 48])
def test_views_are_a_function_of_seed_epoch_index_and_view(policy, name, side):
    facts = ImageFacts(image_size=side, channels=3)
    image = noise(side)
    first, second = Policy(policy(name), facts), Policy(policy(name), facts)
    places = [(seed, epoch, index) for seed in (0, 1) for epoch in (0, 1) for index in (0, 1, 70_000)]
    forward = {p: first.views(image, seed=p[0], epoch=p[1], index=p[2]) for p in places}
    backward = {p: second.views(image, seed=p[0], epoch=p[1], index=p[2]) for p in reversed(places)}
    for place in places:
        for a, b in zip(forward[place], backward[place], strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.shape == (side, side, 3) and a.dtype == np.uint8


def test_another_seed_epoch_index_or_view_is_another_crop(policy):
    crops = Policy(policy("simclr"), ImageFacts(image_size=32, channels=3))
    image = noise()
    places = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    views = [v.tobytes() for s, e, i in places for v in crops.views(image, seed=s, epoch=e, index=i)]
    assert len(set(views)) == 8


def test_a_view_alone_equals_the_same_view_among_all(policy):
    byol = Policy(policy("byol"), ImageFacts(image_size=48, channels=3))
    place = {"seed": 3, "epoch": 2, "index": 5}
    np.testing.assert_array_equal(byol.views(noise(48), **place)[1], byol.view(noise(48), 1, **place))


def test_a_pickled_policy_gives_the_same_views(policy):
    simclr = Policy(policy("simclr"), ImageFacts(image_size=48, channels=3))
    copy = pickle.loads(pickle.dumps(simclr))
    place = {"seed": 3, "epoch": 2, "index": 5}
    for a, b in zip(simclr.views(noise(48), **place), copy.views(noise(48), **place), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("workers", [1, 3])
def test_workers_change_nothing(dataset, policy, workers):
    data = dataset("digits")
    items = data.training(policy("digits"), batch_type=ViewsBatch, seed=5)
    keys = [[(epoch, i) for i in range(start, start + 8)] for epoch in (0, 1) for start in (0, 8, 16)]
    here = [data.collate([items[k] for k in batch]) for batch in keys]
    there = list(DataLoader(items, batch_sampler=keys, num_workers=workers, collate_fn=data.collate))
    for a, b in zip(here, there, strict=True):
        assert all((x == y).all() for x, y in zip(a["views"], b["views"], strict=True))
        assert (a["label"] == b["label"]).all()


def test_the_global_random_states_are_left_alone(policy):
    simclr = Policy(policy("simclr"), ImageFacts(image_size=32, channels=3))
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    simclr.views(noise(), seed=0, epoch=0, index=0)
    np.testing.assert_array_equal(before, np.random.get_state()[1])


@pytest.mark.parametrize(("image_size", "side"), [(224, 96), (96, 40), (32, 12), (8, 4)])
def test_shares_of_the_side_are_whole_patches(image_size, side):
    assert side_of(ViewConfig(size=0.4286), image_size=image_size) == side  # 96 of 224


def test_patches_of_14_have_their_own_share():
    assert side_of(ViewConfig(size=0.4375), image_size=224) == 98


@pytest.mark.parametrize("name", ["simclr", "mae"])
def test_a_crop_that_shrinks_does_not_alias(policy, name):
    """Noise loses its contrast where pixels are averaged, and keeps it where some are picked."""
    facts = ImageFacts(image_size=32, channels=3)
    crop = policy(name)
    kept = next(t for t in crop.views[0].transforms if "RandomResizedCrop" in t)
    alone = AugmentationConfig(name=name, views=[ViewConfig(transforms=[kept])])
    view = Policy(alone, facts).view(noise(512), 0, seed=0, epoch=0, index=0)
    assert view.std() < 0.4 * noise(512).std()


def test_multi_crop_sides_follow_image_size():
    config = AugmentationConfig(
        name="multi",
        views=[
            ViewConfig(count=2, transforms=["RandomResizedCrop"]),
            ViewConfig(count=3, size=0.5, transforms=["RandomResizedCrop"]),
            ViewConfig(size=10, transforms=[]),
        ],
    )
    multi = Policy(config, ImageFacts(image_size=32, channels=3))
    assert multi.sides == (32, 32, 16, 16, 16, 10)
    assert [v.shape[0] for v in multi.views(noise(), seed=0, epoch=0, index=0)] == [32, 32, 16, 16, 16, 10]


def test_small_views_before_large_ones_are_refused():
    views = [ViewConfig(size=0.5, transforms=[]), ViewConfig(transforms=[])]
    with pytest.raises(ConfigError, match=r"augmentation\.views must come largest first, got sides of 16, 32 pixels"):
        Policy(AugmentationConfig(name="turned", views=views), ImageFacts(image_size=32, channels=3))


def test_unsuitable_transforms_are_left_out_and_crops_kept_large(policy):
    facts = ImageFacts(
        image_size=8, channels=1, unsuitable=["HorizontalFlip", "ColorJitter", "ToGray"], min_crop_scale=0.5
    )
    simclr = Policy(policy("simclr"), facts)
    assert set(simclr.left_out) == {
        "crops below 0.5 of the area", "HorizontalFlip", "ColorJitter", "ToGray", "GaussianBlur at 8 px"
    }  # fmt: skip
    (crop,) = simclr._views[0].transforms
    assert tuple(crop.scale) == (0.5, 1.0)


def test_an_unsuitable_transform_is_left_out_of_a_choice_too():
    kept = one_view({"OneOf": {"transforms": ["HorizontalFlip", "VerticalFlip"]}}, unsuitable=["HorizontalFlip"])
    assert [type(t).__name__ for t in kept._views[0].transforms[0].transforms] == ["VerticalFlip"]
    gone = one_view({"OneOf": {"transforms": ["HorizontalFlip"]}}, unsuitable=["HorizontalFlip"])
    assert gone._views[0].transforms == []


def test_blur_takes_a_tenth_of_the_side(policy):
    blur = Policy(policy("byol"), ImageFacts(image_size=224, channels=3))._views[0].transforms[-1]
    assert tuple(blur.blur_limit) == (23, 23)  # the paper's kernel


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ("HorizontlFlip", "'HorizontlFlip' is not an Albumentations transform; did you mean 'HorizontalFlip'?"),
        ({"GaussianBlur": {"sigma": 1}}, "GaussianBlur has no argument 'sigma'; did you mean 'sigma_limit'?"),
        ({"HorizontalFlip": {"p": 2}}, "HorizontalFlip: p=2: Input should be less than or equal to 1"),
        ({"OneOf": {"transforms": ["Flop"]}}, "'Flop' is not an Albumentations transform"),
        ("RandomSizedCrop", "RandomSizedCrop: min_max_height is required"),
        (3, "3 is neither a transform's name nor {Name: {argument: value}}"),
        ("ToFloat", "ToFloat fails on images of 3 channel(s): gives float32"),
    ],
)
def test_a_wrong_entry_is_named(transform, message):
    with pytest.raises(ConfigError) as error:
        one_view(transform)
    assert str(error.value).startswith(f"augmentation.views: {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "channels"), [("ToGray", 1), ("ColorJitter", 5), ("ToGray", 2)])
def test_a_transform_of_colour_is_left_out_where_there_is_none_and_told(name, channels):
    policy = one_view(name, channels=channels)
    assert policy._views[0].transforms == []
    assert policy.left_out == (f"{name} on {channels} channel(s)",)
    assert one_view(name, channels=3).left_out == ()


@pytest.mark.parametrize("channels", [1, 5])
def test_every_papers_policy_takes_any_number_of_channels(policy, channels):
    for name in ("simclr", "byol", "dino"):
        views = Policy(policy(name), ImageFacts(image_size=64, channels=channels)).views(
            noise(64, channels), seed=0, epoch=0, index=0
        )
        assert {v.shape[2] for v in views} == {channels}


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_weak_and_none_take_any_number_of_channels(policy, channels):
    for name in ("weak", "none"):
        weak = Policy(policy(name), ImageFacts(image_size=16, channels=channels))
        (view,) = weak.views(noise(40, channels), seed=0, epoch=0, index=0)
        assert view.shape == (16, 16, channels)


def test_none_gives_the_image_itself(policy):
    (view,) = Policy(policy("none"), ImageFacts(image_size=32, channels=3)).views(noise(), seed=0, epoch=0, index=0)
    np.testing.assert_array_equal(view, noise())


def test_a_wrong_name_among_the_unsuitable_is_named():
    with pytest.raises(ConfigError, match=r"dataset.unsuitable: 'HorizontalFlp' is not an Albumentations transform"):
        one_view("HorizontalFlip", unsuitable=["HorizontalFlp"])


def test_arguments_of_an_unsuitable_transform_are_checked():
    with pytest.raises(ConfigError, match="HorizontalFlip has no argument 'prob'"):
        one_view({"HorizontalFlip": {"prob": 4}}, unsuitable=["HorizontalFlip"])
