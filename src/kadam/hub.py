"""Models and weights kept by others: files fetched by address, functions of a `hubconf.py`. As `torch.hub`."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import sys
import tempfile
import urllib.request
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlparse

from kadam import missing
from kadam.errors import UnsupportedError
from kadam.serialization import load as load_file

HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")  # in a file's name, as PyTorch's own files have it
_folder: Path | None = None


def get_dir() -> str:
    """The folder in which files are kept: TORCH_HOME/hub, or ~/.cache/torch/hub."""
    if _folder is not None:
        return str(_folder)
    home = os.environ.get("TORCH_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch")
    return os.path.join(os.path.expanduser(home), "hub")


def set_dir(d: str | os.PathLike[str]) -> None:
    """Keep files in another folder."""
    global _folder
    _folder = Path(d).expanduser()


def download_url_to_file(url: str, dst: str, hash_prefix: str | None = None, progress: bool = True) -> None:
    """Fetch a file.

    Args:
        url: its address.
        dst: where it is kept.
        hash_prefix: the first digits of its SHA-256.
        progress: accepted, without effect.

    Raises:
        RuntimeError: the file's digest is another one; nothing is kept then.
        urllib.error.URLError: the file cannot be fetched.
    """
    target, digest = Path(dst).expanduser(), hashlib.sha256()
    request = urllib.request.Request(url, headers={"User-Agent": "kadam.hub"})
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=target.name, delete=False) as part:
        try:
            with urllib.request.urlopen(request) as source:
                while block := source.read(1 << 17):
                    part.write(block)
                    digest.update(block)
            part.close()
            if hash_prefix and not digest.hexdigest().startswith(hash_prefix):
                raise RuntimeError(
                    f'download_url_to_file: invalid hash value (expected "{hash_prefix}", got "{digest.hexdigest()}"). '
                    "Fix: fetch it again, or ask whoever keeps it."
                )
            shutil.move(part.name, target)
        finally:
            Path(part.name).unlink(missing_ok=True)


def load_state_dict_from_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = False,
) -> dict[str, Any]:
    """What `torch.save` wrote to a file that is fetched, unless it has been fetched before.

    Args:
        url: the file's address.
        model_dir: where it is kept; by default get_dir()/checkpoints.
        map_location: as in `torch.load`: the CPU in any case.
        progress: accepted, without effect.
        check_hash: whether the file's name, such as `resnet18-f37072fd.pth`, tells its digest.
        file_name: the name under which it is kept.
        weights_only: without effect: files are read without running code.
    """
    folder = Path(model_dir or Path(get_dir()) / "checkpoints")
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / (file_name or os.path.basename(urlparse(url).path))
    if not kept.exists():
        print(f'Downloading: "{url}" to {kept}', file=sys.stderr)
        found = HASH_REGEX.search(kept.name) if check_hash else None
        download_url_to_file(url, str(kept), found.group(1) if found else None, progress)
    return load_file(kept, map_location=map_location)  # type: ignore[no-any-return]


def load(repo_or_dir: str, model: str, *args: Any, source: str = "github", **kwargs: Any) -> Any:
    """What a function of a folder's `hubconf.py` returns.

    Args:
        repo_or_dir: the folder.
        model: the function's name.
        args: its arguments.
        source: "local".
        kwargs: its arguments by name; those that say how PyTorch fetches repositories are left out.

    Raises:
        UnsupportedError: a repository on GitHub: its code would run here.
        ValueError: another source.
        RuntimeError: there is no such function.
    """
    for option in ("trust_repo", "force_reload", "verbose", "skip_validation"):
        kwargs.pop(option, None)
    return _entry(_hubconf(repo_or_dir, source), model)(*args, **kwargs)


def list(github: str, *options: Any, source: str = "github", **named_options: Any) -> Any:
    """The functions of a folder's `hubconf.py`, by name. As `torch.hub.list`, of local folders."""
    conf = _hubconf(github, source)
    return [name for name, value in vars(conf).items() if callable(value) and not name.startswith("_")]


def help(github: str, model: str, *options: Any, source: str = "github", **named_options: Any) -> str | None:
    """What a function of a folder's `hubconf.py` says of itself. As `torch.hub.help`, of local folders."""
    text: str | None = _entry(_hubconf(github, source), model).__doc__
    return text


def _hubconf(folder: str, source: str) -> ModuleType:
    if source not in ("github", "local"):
        raise ValueError(f'torch.hub: Unknown source: "{source}". Allowed values: "github" | "local". Fix: "local".')
    if source == "github":
        raise UnsupportedError(
            f"torch.hub: {folder!r} on GitHub: Kadam fetches no repositories, whose code would run here. Fix: clone "
            "it, and torch.hub.load(folder, name, source='local')."
        )
    path = Path(folder) / "hubconf.py"
    spec = importlib.util.spec_from_file_location("hubconf", path)
    if spec is None or spec.loader is None or not path.exists():
        raise FileNotFoundError(f"torch.hub: there is no {path}. Fix: give the folder that has a hubconf.py.")
    conf = importlib.util.module_from_spec(spec)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(conf)
    finally:
        sys.path.remove(folder)
    return conf


def _entry(conf: ModuleType, name: str) -> Any:
    found = getattr(conf, name, None)
    if not callable(found):
        raise RuntimeError(f"torch.hub: Cannot find callable {name} in hubconf. Fix: one of torch.hub.list(...).")
    return found


__all__ = ["download_url_to_file", "get_dir", "help", "list", "load", "load_state_dict_from_url", "set_dir"]

missing.install(__name__)
