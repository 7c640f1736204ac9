"""Files of a user: NumPy archives, folders of images, Parquet, CSV and the Hub."""

import io
import json
from dataclasses import replace

import datasets
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from nacre.data.parts import Part, binarized, with_color
from nacre.data.sources import load_data
from nacre.data.spec import Spec
from nacre.errors import NacreError
from nacre.registry import create

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (20, 6, 5, 3), dtype=np.uint8)


def refuses(words, *args, **options):
    with pytest.raises(NacreError) as caught:
        load_data(*args, **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def save(folder, images, mode=None, suffix="png"):
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        picture = Image.fromarray(image)
        (picture.convert(mode) if mode else picture).save(folder / f"{i:02}.{suffix}")


def encoded(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def hub_set(n=20):
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["no", "yes"])})
    rows = {"image": [encoded(image) for image in COLOUR[:n]], "label": [i % 2 for i in range(n)]}
    return datasets.Dataset.from_dict(rows, features=features)


def test_numpy_files(tmp_path):
    np.save(tmp_path / "x.npy", COLOUR)
    assert len(load_data(f"{tmp_path}/x.npy")) == 18
    assert len(load_data(f"{tmp_path}/x.npy:test")) == 2
    everything = load_data(tmp_path / "x.npy", split="all")
    assert np.array_equal(everything.x, COLOUR.transpose(0, 3, 1, 2))
    assert everything.name == f"{tmp_path}/x.npy"
    np.savez(tmp_path / "one.npz", COLOUR)
    assert len(load_data(tmp_path / "one.npz", split="all")) == 20
    np.savez(tmp_path / "pair.npz", X=COLOUR, y=np.arange(20) % 3)
    assert load_data(tmp_path / "pair.npz").spec.classes == ("0", "1", "2")
    np.savez(tmp_path / "med.npz", train_images=COLOUR, train_labels=np.ones((20, 1)), val_images=COLOUR[:3])
    assert load_data(tmp_path / "med.npz").splits == ("train", "validation", "all")


def test_numpy_mistakes(tmp_path):
    np.save(tmp_path / "object.npy", np.array([{}, {}]), allow_pickle=True)
    refuses("does not unpickle", tmp_path / "object.npy")
    np.savez(tmp_path / "object.npz", x=np.array([{}, {}]))
    refuses("does not unpickle", tmp_path / "object.npz")
    np.savez(tmp_path / "keys.npz", height=[1], weight=[2])
    refuses("has the arrays height, weight; call them x and y", tmp_path / "keys.npz")
    (tmp_path / "torn.npz").write_bytes(b"PK\3\4 torn")
    refuses("does not open as a NumPy file", tmp_path / "torn.npz")
    np.save(tmp_path / "nan.npy", np.full((30, 2), np.nan))
    refuses("has 60 missing (NaN)", tmp_path / "nan.npy")


def test_class_folders_and_split_folders(tmp_path):
    for split, n in (("train", 8), ("val", 2)):
        for name in ("cat", "dog"):
            save(tmp_path / "pets" / split / name, COLOUR[:n])
    train = load_data(tmp_path / "pets")
    assert (len(train), train.splits, train.spec.classes) == (16, ("train", "validation", "all"), ("cat", "dog"))
    assert train.spec.shape == (3, 6, 5)
    assert len(train.sibling("validation")) == 4
    assert len(load_data(f"{tmp_path}/pets:all")) == 20
    flat = load_data(tmp_path / "pets" / "train" / "cat", split="all")
    assert flat.y is None
    assert np.array_equal(flat.x, COLOUR[:8].transpose(0, 3, 1, 2))


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "bmp", "webp", "tif", "gif"])
def test_image_types(tmp_path, suffix):
    save(tmp_path / "a", COLOUR[:3], suffix=suffix)
    assert load_data(tmp_path / "a", split="all").spec.shape == (3, 6, 5)


def test_image_modes(tmp_path):
    alpha = RNG.integers(0, 256, (4, 6, 5, 4), dtype=np.uint8)
    save(tmp_path / "alpha", alpha)
    assert np.array_equal(load_data(tmp_path / "alpha", split="all").x, alpha.transpose(0, 3, 1, 2))
    save(tmp_path / "palette", COLOUR[:4], mode="P")
    assert load_data(tmp_path / "palette", split="all").spec.shape == (3, 6, 5)
    save(tmp_path / "bits", COLOUR[:4], mode="1")
    bits = load_data(tmp_path / "bits", split="all")
    assert bits.spec.shape == (1, 6, 5) and bits.spec.binary
    save(tmp_path / "mixed", COLOUR[:3], mode="L")
    Image.fromarray(COLOUR[3]).save(tmp_path / "mixed" / "colour.png")
    mixed = load_data(tmp_path / "mixed", split="all")
    assert mixed.spec.shape == (3, 6, 5)
    assert torch.equal(mixed.x[0, 0], mixed.x[0, 2])


def test_16_bit_images(tmp_path):
    deep = RNG.integers(0, 65536, (4, 6, 5), dtype=np.uint16)
    deep[0, 0, 0] = 65535
    save(tmp_path / "deep", deep)
    data, lazy = (load_data(tmp_path / "deep", split="all", in_memory=choice) for choice in (True, False))
    assert (data.x.dtype, data.unit) == (torch.float32, 1 / 65535)
    assert np.array_equal(data.x[:, 0], deep)
    assert data.examples().x.max() == 1
    assert torch.equal(lazy.examples().x, data.examples().x)
    small = load_data(tmp_path / "deep", split="all", size=3).examples().x
    assert small.shape == (4, 1, 3, 3) and small.min() >= 0 and small.max() <= 1
    Image.fromarray(deep[0].astype(np.uint8)).save(tmp_path / "deep" / "shallow.png")
    assert load_data(tmp_path / "deep", split="all").x[4].max() == deep[0].astype(np.uint8).max() * 257.0


def test_sizes(tmp_path):
    save(tmp_path / "a", [COLOUR[0], COLOUR[1][:5], COLOUR[2]])
    refuses("01.png is 5 x 5 but the first one is 6 x 5", tmp_path / "a", split="all")
    refuses("--size 5", tmp_path / "a", split="all")
    lazy = load_data(tmp_path / "a", split="all", in_memory=False, size=(4, 8))
    assert lazy.spec.shape == (3, 4, 8)
    assert torch.equal(lazy.examples().x, load_data(tmp_path / "a", split="all", size=(4, 8)).examples().x)


def test_resizing_crops_the_centre(tmp_path):
    wide = np.zeros((20, 60), np.uint8)
    wide[:, 20:40] = 255
    save(tmp_path / "wide", [wide])
    assert load_data(tmp_path / "wide", split="all", size=10).x.min() > 200
    assert load_data(wide[None], size=10).x.min() > 200


def test_image_mistakes(tmp_path):
    (tmp_path / "empty").mkdir()
    refuses("has no images (png, jpg", tmp_path / "empty")
    save(tmp_path / "a", COLOUR[:3])
    whole = (tmp_path / "a" / "01.png").read_bytes()
    (tmp_path / "a" / "01.png").write_bytes(whole[: len(whole) // 2])
    refuses("01.png does not decode", tmp_path / "a", split="all")
    (tmp_path / "a" / "01.png").write_text("words")
    refuses("01.png does not decode (not an image)", tmp_path / "a", split="all")


def test_parquet_images(tmp_path, monkeypatch):
    hub_set().to_parquet(tmp_path / "yes.parquet")
    data = load_data(tmp_path / "yes.parquet", split="all")
    assert np.array_equal(data.x, COLOUR.transpose(0, 3, 1, 2))
    assert data.spec.classes == ("no", "yes")
    place = tmp_path / "data" / "sheep"
    place.mkdir(parents=True)
    hub_set(12).to_parquet(place / "train-0.parquet")
    hub_set(8).to_parquet(place / "train-1.parquet")
    hub_set(4).to_parquet(place / "test.parquet")
    monkeypatch.setenv("NACRE_DATA", str(tmp_path / "data"))
    sheep = load_data("sheep")
    assert (len(sheep), sheep.name, sheep.splits) == (20, "sheep", ("train", "test", "all"))
    assert len(load_data("sheep:all", in_memory=False)) == 24
    monkeypatch.setenv("NACRE_MEMORY", "100")
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path / "cache"))
    mapped = load_data("sheep")
    assert type(mapped).__name__ == "LazyData"
    assert torch.equal(mapped.examples().x, sheep.examples().x)
    assert mapped.spec == sheep.spec


def test_parquet_mistakes(tmp_path):
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 torn")
    refuses("does not open as a Parquet file", tmp_path / "torn.parquet")
    rows = hub_set(4).to_list()
    rows[2]["image"] = None
    datasets.Dataset.from_list(rows, features=hub_set(1).features).to_parquet(tmp_path / "hole.parquet")
    with pytest.raises(NacreError, match="row 2"):
        load_data(tmp_path / "hole.parquet", split="all")
    hub_set(0).to_parquet(tmp_path / "none.parquet")
    refuses("has no rows", tmp_path / "none.parquet")


def test_numeric_tables(tmp_path):
    frame = pd.DataFrame({"a": np.arange(20.0), "b": np.arange(20) % 7, "target": ["u", "v"] * 10})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "semicolons.csv", index=False, sep=";")
    frame.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    tables = [load_data(tmp_path / name) for name in ("t.csv", "t.parquet", "semicolons.csv", "t.tsv")]
    assert {table.spec.columns for table in tables} == {("a", "b")}
    assert {table.spec.classes for table in tables} == {("u", "v")}
    assert all(torch.equal(table.x, tables[0].x) for table in tables)
    (tmp_path / "bare.csv").write_text("1,2\n3,4\n5,6\n")
    assert load_data(tmp_path / "bare.csv", split="all").x.tolist() == [[1, 2], [3, 4], [5, 6]]
    frame[["a", "b"]].to_csv(tmp_path / "numbered.csv")
    numbered = load_data(tmp_path / "numbered.csv")
    assert numbered.spec.columns == ("a", "b") and "row number" in numbered.notes[0]
    (tmp_path / "points.csv").write_text("x,y\n0.5,1.5\n2,3\n")
    assert load_data(tmp_path / "points.csv", split="all").spec.columns == ("x", "y")


def test_csv_of_image_paths(tmp_path):
    save(tmp_path / "pictures", COLOUR[:4])
    rows = "".join(f"pictures/{i:02}.png,{'ab'[i % 2]}\n" for i in range(4))
    (tmp_path / "list.csv").write_text("file,label\n" + rows)
    data = load_data(tmp_path / "list.csv", split="all")
    assert np.array_equal(data.x, COLOUR[:4].transpose(0, 3, 1, 2))
    assert data.spec.classes == ("a", "b")


def test_table_mistakes(tmp_path):
    pd.DataFrame({"a": [1.0, np.inf, 3], "b": [1, None, 3]}).to_csv(tmp_path / "hole.csv", index=False)
    refuses("1 missing (NaN) or infinite value, the first in row 1, column 'a'", tmp_path / "hole.csv")
    pd.DataFrame({"a": [1.0, 2], "b": [None, None]}).to_parquet(tmp_path / "void.parquet")
    refuses("the column 'b' of", tmp_path / "void.parquet")
    pd.DataFrame({"name": [f"text {i}" for i in range(1001)]}).to_csv(tmp_path / "text.csv", index=False)
    refuses("1,001 different texts", tmp_path / "text.csv")
    pd.DataFrame({"a": [1, 2], "label": ["x", None]}).to_csv(tmp_path / "label.csv", index=False)
    refuses("the label column 'label'", tmp_path / "label.csv")
    pd.DataFrame({"label": [1, 2]}).to_csv(tmp_path / "only.csv", index=False)
    refuses("no column but the labels", tmp_path / "only.csv")
    (tmp_path / "empty.csv").write_text("")
    refuses("does not read as a CSV file", tmp_path / "empty.csv")
    (tmp_path / "header.csv").write_text("a,b\n")
    refuses("has no rows", tmp_path / "header.csv")


def mixed(folder):
    """A table of numbers, names and holes in two files whose names differ."""
    folder.mkdir()
    train = {"age": [20.0, None, 40, 50], "job": ["cook", "smith", None, "cook"], "pay": ["low", "high", "low", "high"]}
    test = {"age": [30.0, 31], "job": ["smith", "sailor"], "pay": ["high", "low"]}
    for name, rows in (("train", train), ("test", test)):
        pd.DataFrame(rows).to_parquet(folder / f"{name}.parquet")
    return folder


def test_tables_of_numbers_and_names(tmp_path):
    data = load_data(mixed(tmp_path / "jobs"), split="train")
    assert data.spec.columns == ("age", "job", "pay") and data.spec.missing == ("age", "job")
    assert data.spec.categories == ((), ("cook", "smith"), ("high", "low"))
    assert np.array_equal(data.x, [[20, 0, 1], [np.nan, 1, 0], [40, np.nan, 1], [50, 0, 0]], equal_nan=True)
    assert data.spec.center[0] == pytest.approx(110 / 3)
    assert Spec.from_dict(json.loads(json.dumps(data.spec.to_dict()))) == data.spec
    test = data.sibling("test")
    assert test.spec == data.spec
    assert np.array_equal(test.x, [[30, 1, 0], [31, np.nan, 1]], equal_nan=True), (
        "a name that training lacks is missing"
    )
    assert len(load_data(tmp_path / "jobs", split="all")) == 6


def test_a_named_column_holds_the_labels(tmp_path):
    data = load_data(mixed(tmp_path / "jobs"), split="train", label="pay")
    assert data.spec.classes == ("high", "low") and data.y.tolist() == [1, 0, 1, 0]
    assert data.spec.columns == ("age", "job") and data.sibling("test").y.tolist() == [0, 1]
    refuses("no column 'wage' to take the labels from; there are age, job, pay", tmp_path / "jobs", label="wage")
    refuses("has 1 missing values", tmp_path / "jobs", label="job")
    refuses("no column 'y'", np.zeros((4, 3)), label="y")


def test_a_label_column_with_a_telling_name_may_be_named_too(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("u,v,y,label\n" + "".join(f"{i},{-i},{'no' if i % 2 else 'yes'},{i % 3}\n" for i in range(30)))
    assert load_data(path).spec.columns == load_data(path, label="y").spec.columns == ("u", "v", "label")
    assert load_data(path, label="y").spec.classes == ("no", "yes")
    assert load_data(path, label="label").spec.columns == ("u", "v")


def test_models_of_numbers_refuse_mixed_tables(tmp_path):
    data = load_data(mixed(tmp_path / "jobs"), split="train")
    for name in ("vae", "gan", "rbm"):
        with pytest.raises(
            NacreError, match=rf"missing values \(age, job\), which {name} cannot take; use tabular-vae"
        ):
            create(name, data.spec)


def test_hub(monkeypatch):
    asked = []

    def load_dataset(name, configuration=None):
        asked.append((name, configuration))
        if name == "no/such":
            raise FileNotFoundError("Dataset 'no/such' doesn't exist on the Hub\nmore")
        return datasets.DatasetDict({"train": hub_set(20), "valid": hub_set(4)})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    data = load_data("hf:owner/name")
    assert np.array_equal(data.x, COLOUR.transpose(0, 3, 1, 2))
    assert (data.spec.classes, data.splits, data.name) == (
        ("no", "yes"),
        ("train", "validation", "all"),
        "hf:owner/name",
    )
    assert len(load_data("hf:owner/name/large:validation", in_memory=False)) == 4
    assert asked == [("owner/name", None), ("owner/name", "large")]
    refuses("the Hugging Face data set 'no/such' cannot be loaded", "hf:no/such")


def test_hub_of_a_local_folder(tmp_path, monkeypatch):
    (tmp_path / "set").mkdir()
    pd.DataFrame({"a": np.arange(20.0), "b": np.arange(20.0)}).to_csv(tmp_path / "set" / "train.csv", index=False)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    assert load_data(f"hf:{tmp_path}/set").spec.columns == ("a", "b")


def test_a_single_image_and_a_stray_one(tmp_path):
    save(tmp_path / "a", COLOUR[:3])
    assert len(load_data(tmp_path / "a" / "00.png")) == 1
    save(tmp_path / "b", COLOUR[3:6])
    classes = load_data(tmp_path, split="all")
    assert classes.spec.classes == ("a", "b") and not classes.notes
    assert [place.removeprefix(str(tmp_path)) for place in classes.files[2:4]] == ["/a/02.png", "/b/00.png"]
    assert classes.subset(torch.tensor([3])).files == classes.files[3:4]
    Image.fromarray(COLOUR[6]).save(tmp_path / "stray.png")
    mixed = load_data(tmp_path, split="all")
    assert mixed.y is None and "the image stray.png lies beside the folders a, b, so that" in mixed.notes[0]


@pytest.mark.parametrize("before", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize(("after", "color", "channels"), [("L", "grey", 1), ("RGB", "rgb", 3), ("RGBA", "rgba", 4)])
def test_colors_of_arrays_and_of_files_are_converted_alike(tmp_path, before, after, color, channels):
    pictures = [Image.fromarray(image).convert(before) for image in COLOUR[:4]]
    save(tmp_path / "folder", COLOUR[:4], before)
    wanted = np.stack([np.asarray(p.convert(after)).reshape(6, 5, -1).transpose(2, 0, 1) for p in pictures])
    arrays = np.stack([np.asarray(p).reshape(6, 5, -1) for p in pictures])
    for source in (tmp_path / "folder", arrays):
        data = load_data(source, split="all", color=color)
        assert data.spec.shape == (channels, 6, 5) and np.abs(data.x.numpy().astype(int) - wanted).max() <= 1
    assert load_data(arrays, color=color).color == color


def test_colors_of_what_has_none_are_refused():
    refuses("images alone have a color", "ring", color="rgb")
    refuses("grey", COLOUR, color="gray")
    refuses("images with 2 channels", COLOUR[..., :2], color="rgb")
    refuses("stacked-mnist has a size alone", "stacked-mnist", color="grey")


def test_what_is_binarized_once_has_the_same_bits_in_every_channel():
    grey = Part(np.full((3, 1, 4, 4), 128, np.uint8), unit=1 / 255, binarize="once")
    with pytest.raises(NacreError, match="binarized batch by batch"):
        with_color(replace(grey, binarize="afresh"), "rgb")
    bits = with_color(binarized(grey), "rgb").x
    assert bits.shape == (3, 3, 4, 4) and (bits[:, 0] == bits[:, 1]).all() and 0 < bits.mean() < 1


def test_columns_are_dropped_and_those_that_name_rows_are_told_of(tmp_path):
    frame = pd.DataFrame({"id": range(10, 40), "who": [f"p{i}" for i in range(30)], "a": RNG.normal(size=30)})
    frame["b"] = ["x", "y", "z"] * 10
    frame.to_csv(tmp_path / "t.csv", index=False)
    data = load_data(tmp_path / "t.csv", split="all")
    assert "'id', 'who'" in data.notes[0] and data.notes[0].endswith("--drop id who")
    rest = load_data(tmp_path / "t.csv", split="train", drop=("id", "who"))
    assert rest.spec.columns == rest.columns == ("a", "b") and not rest.notes
    assert rest.sibling("test").spec.columns == ("a", "b")
    assert load_data(tmp_path / "t.csv", columns=("categories",), drop=("who",)).spec.columns == ("b",)
    refuses("no column 'c'", tmp_path / "t.csv", drop=("c",))
    refuses("no column is left", tmp_path / "t.csv", drop=("id", "who", "a", "b"))
    assert load_data(tmp_path / "t.csv", columns=("b", "a")).columns == ("b", "a")
    refuses("give a list of names", tmp_path / "t.csv", drop="id")
    assert not load_data(frame[:10]).notes  # even a number may have no value twice there
    assert not load_data(frame[["id"]]).notes  # nothing would be left
    frame.assign(label=frame["b"]).to_csv(tmp_path / "l.csv", index=False)
    assert load_data(tmp_path / "l.csv", drop=("label", "who")).y is None
    assert load_data(tmp_path / "l.csv", drop=("label", "who")).spec.columns == ("id", "a", "b")


def test_columns_of_no_use_may_be_dropped(tmp_path):
    n = 1_200
    frame = pd.DataFrame({"first name": [f"p{i}" for i in range(n)], "a": RNG.normal(size=n), "none": [None] * n})
    frame["when"] = pd.date_range("2020-01-01", periods=n).repeat(4)[:n]
    path = tmp_path / "t.parquet"
    frame.to_parquet(path)
    refuses("1,200 different texts", path)
    refuses("leave it out (--drop 'first name')", path)
    refuses("has no values", path, drop=("first name",))
    data = load_data(path, split="all", drop=("first name", "none"))
    assert data.spec.columns == ("a", "when") and len(data.spec.categories[1]) == 300
    assert load_data(path, columns=("a",)).spec.columns == ("a",)
    refuses("1,200 different texts", path, label="first name")
    refuses("several columns 'a'", frame[["a", "a"]])
    lists = pd.DataFrame({"a": RNG.normal(size=30), "tags": [[1, 2]] * 30})
    assert load_data(lists).spec.columns == ("a", "tags")


def test_a_row_of_too_few_fields_is_no_row_with_missing_values(tmp_path):
    (tmp_path / "short.csv").write_text('a,b,c\n1,"2\n3",4\n5,6\n7,8,9\n')
    refuses("line 4 of", tmp_path / "short.csv")
    refuses("fewer fields than the 3 of the first", tmp_path / "short.csv")
    (tmp_path / "gap.csv").write_text("a,b,c\n1,2,\n  \n4,5,6\n")
    assert load_data(tmp_path / "gap.csv", split="all").spec.missing == ("c",)
    (tmp_path / "plain.csv").write_text("1,2,3\n4,5\n")
    refuses("line 2 of", tmp_path / "plain.csv")
