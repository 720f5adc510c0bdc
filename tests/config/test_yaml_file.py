import math

import pytest

from breakeven.config.yaml_file import read_yaml
from breakeven.store.errors import ConfigError


def read(folder, text):
    path = folder / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_yaml(path).content


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", 0.1),
        ("1e-1", 0.1),
        ("1E5", 1e5),
        (".5e3", 500.0),
        ("-1.e2", -100.0),
        ("+3", 3),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("none", "none"),
        ("yes", "yes"),
        ("2020-01-01", "2020-01-01"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("'0.1'", "0.1"),
        ("!!str 3", "3"),
        ("!!float 3", 3.0),
    ],
)
def test_scalars_follow_yaml_1_2(tmp_path, text, value):
    found = read(tmp_path, f"x: {text}")["x"]
    assert found == value
    assert type(found) is type(value)


def test_nan(tmp_path):
    assert math.isnan(read(tmp_path, "x: .nan")["x"])


def test_anchors_aliases_and_merge_keys(tmp_path):
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: *a, x: 3}\nd: {<<: [*a, *b]}\ne: *a\n"
    content = read(tmp_path, text)
    assert content["c"] == {"x": 3, "y": 1}
    assert content["d"] == {"x": 1, "y": 1, "z": 2}
    assert content["e"] == content["a"]


def test_lines(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("# x\na: &a\n  b: 1\n  c: 2\nd:\n  <<: *a\n  c: 3\ne:\n  - x\n  - {f: 1,\n     g: 2}\nh: *a\n")
    file = read_yaml(path)
    lines = {".".join(map(str, place)): number for place, number in file.lines.items()}
    assert lines == {
        "": 2, "a": 2, "a.b": 3, "a.c": 4, "d": 5, "d.b": 3, "d.c": 7, "e": 8, "e.0": 9, "e.1": 10, "e.1.f": 10, "e.1.g": 11,
        "h": 12, "h.b": 3, "h.c": 4,
    }  # fmt: skip
    assert file.line(("e", 1, "nothing", 3)) == 10
    assert file.line(("nothing",)) == 2


def test_keys_are_texts_and_a_byte_order_mark_is_ignored(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbf1: a\nno: b\n") == {"1": "a", "no": "b"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": the file is empty"),
        ("# only a comment\n", ": the file is empty"),
        ("- 1\n", ":1:1: the file must be a mapping, with lines like 'key: value'"),
        ("a: 1\nb: 2\na: 3\n", ":3:1: duplicate key 'a': it stands in line 1 and in line 3"),
        ("a:\n  b: 1\n  'b': 2\n", ":3:3: duplicate key 'b': it stands in line 2 and in line 3"),
        ("x: &x {a: 1}\ny:\n  <<: *x\n  <<: *x\n", ":4:3: duplicate key '<<': it stands in line 3 and in line 4"),
        ("a: 1\nb: [1, 2\nc: 3\n", ":3:2: while parsing a flow sequence: expected ',' or ']', but got ':'"),
        (
            "a:\n\tb: 1\n",
            r":2:1: while scanning for the next token: found character '\t' that cannot start any token; "
            "indent with spaces, not tabs",
        ),
        ("a: b: c\n", ":1:5: mapping values are not allowed here"),
        ("a: *nowhere\n", ":1:4: found undefined alias 'nowhere'"),
        (
            "a: 1\n---\nb: 2\n",
            ":2:1: expected a single document in the stream: but found another document",
        ),
        ("a: &a [1, *a]\n", ":1:4: an anchor that contains itself"),
        ("a: &a {b: *a}\n", ":1:4: an anchor that contains itself"),
        ("a: &a\n  <<: *a\n", ":1:4: an anchor that contains itself"),
        ("? [1, 2]\n: 3\n", ":1:3: a key must be a plain name, not a list or a mapping"),
        ("a: {<<: 3}\n", ":1:9: '<<' takes a mapping or a list of mappings"),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            ":1:4: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not supported",
        ),
        ("a: !mine 3\n", ":1:4: the tag '!mine' is not supported"),
        ("a: !!timestamp 2020-01-01\n", ":1:4: the tag 'tag:yaml.org,2002:timestamp' is not supported"),
        ("a: !!int one\n", ":1:4: 'one' cannot be read as int"),
        ("a: !!int [1]\n", ":1:4: the tag 'tag:yaml.org,2002:int' is not supported"),
        ("a: " + "9" * 5000 + "\n", f":1:4: '{'9' * 56}... cannot be read as int"),
        ("a: 0x" + "f" * 5000 + "\n", f":1:4: '0x{'f' * 54}... cannot be read as int"),
        (r'a: "\ud800"', r":1:4: '\ud800' cannot be read as text"),
        (
            "a0: &a0 [1, 1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40)),
            ":1:10: more than 100000 values, counting what aliases repeat",
        ),
        ("a: " + "x" * 1_000_000 + "\n", ": more than 1000000 bytes, too long for a config"),
        ("a: 1\nb: \x07\n", r":2: the character '\x07' is not allowed in YAML"),
        (b"a: 1\nb: \xff\n", ":2: not UTF-8 text (byte 0xff)"),
        ("a: " + "[" * 60 + "]" * 60 + "\n", ":1:53: nested too deeply"),
        ("a: " + "[" * 5000 + "]" * 5000 + "\n", ": nested too deeply"),
    ],
)
def test_mistakes_are_one_line(tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert caught.value.lines == [f"{tmp_path}/config.yaml{message}"]


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError) as caught:
        read_yaml(tmp_path / "none.yaml")
    assert caught.value.lines == [f"{tmp_path}/none.yaml: there is no such file"]
    with pytest.raises(ConfigError) as caught:
        read_yaml(tmp_path)
    assert caught.value.lines == [f"{tmp_path}: cannot be read: Is a directory"]
