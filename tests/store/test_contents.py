import os

from breakeven.store.contents import Contents, is_folder


def test_links_that_lead_nowhere_are_files(tmp_path):
    """Neither to nothing nor to themselves: planning must get over them. A link to a folder is one."""
    folder = tmp_path / "pictures"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "0.png").write_bytes(b"picture")
    before = Contents(tmp_path / "memory").digest(folder)
    for name, target in (("loop", "loop"), ("broken", "nothing"), ("link", "a"), ("to_file", "a/0.png")):
        (folder / name).symlink_to(target)
    (folder / "file").touch()
    with os.scandir(folder) as entries:
        assert {entry.name for entry in entries if is_folder(entry)} == {"a", "link"}
    assert Contents(tmp_path / "memory").digest(folder) != before
