"""The build backend of this project (PEP 517, PEP 660), with nothing but the standard library.

It writes a wheel, an editable wheel or a source distribution. pyproject.toml says what of the
project stands in the metadata; here is said which files go into which archive. The same files give
the same bytes.
"""
import base64
import gzip
import hashlib
import io
import pathlib
import re
import tarfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGES = ("sealstream", "sealstream_redact")
MODULES = ("sealstream_tiles.py", "sealstream_verify.py")
SOURCES = ("README.md", "pyproject.toml", "build_backend/wheel_builder.py")
TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip file can have


def get_requires_for_build_wheel(config_settings=None):
    """Nothing is needed to build."""
    return []


get_requires_for_build_sdist = get_requires_for_build_wheel
get_requires_for_build_editable = get_requires_for_build_wheel


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    """Writes the metadata alone, and returns the name of their folder."""
    folder = pathlib.Path(metadata_directory, info_folder())
    folder.mkdir(parents=True)
    for name, content in metadata().items():
        (folder / name).write_bytes(content)
    return folder.name


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Writes a wheel with the package and the modules beside it, and returns its name."""
    return write_wheel(wheel_directory, {path: (ROOT / path).read_bytes() for path in package()})


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """Writes a wheel that points at this folder, and returns its name."""
    return write_wheel(wheel_directory, {"sealstream.pth": str(ROOT).encode() + b"\n"})


def build_sdist(sdist_directory, config_settings=None):
    """Writes a source distribution, from which a wheel can be built, and returns its name."""
    base = "sealstream-" + version()
    files = {path: (ROOT / path).read_bytes() for path in [*package(), *SOURCES]}
    files["PKG-INFO"] = metadata()["METADATA"]
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, content in sorted(files.items()):
            info = tarfile.TarInfo("%s/%s" % (base, path))
            info.size = len(content)
            info.mode = 0o644
            tar.addfile(info, io.BytesIO(content))
    name = base + ".tar.gz"
    pathlib.Path(sdist_directory, name).write_bytes(gzip.compress(plain.getvalue(), mtime=0))
    return name


def package():
    """The files that are installed, by their path."""
    files = [path for name in PACKAGES for path in ROOT.glob(name + "/*")]
    files = [path for path in files if path.suffix in (".py", ".typed")]
    return sorted(path.relative_to(ROOT).as_posix() for path in files) + list(MODULES)


def version():
    """The version of the package, read without importing it."""
    text = (ROOT / "sealstream" / "__init__.py").read_text(encoding="utf-8")
    return re.search('^__version__ = "(.+)"$', text, re.MULTILINE)[1]


def info_folder():
    return "sealstream-%s.dist-info" % version()


def setting(name):
    """A text of pyproject.toml. Python 3.9 has no reader of TOML."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return re.search('^%s = .*?"(.*?)"' % re.escape(name), text, re.MULTILINE)[1]


def metadata():
    """The files of the dist-info folder, but for RECORD."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    classifiers = re.findall('^    "(.* :: .*)",$', text, re.MULTILINE)
    lines = [
        "Metadata-Version: 2.1",
        "Name: " + setting("name"),
        "Version: " + version(),
        "Summary: " + setting("description"),
        "License: " + setting("license"),
        "Requires-Python: " + setting("requires-python"),
        *("Classifier: " + one for one in classifiers),
        "Description-Content-Type: text/markdown",
        "",
        (ROOT / "README.md").read_text(encoding="utf-8"),
    ]
    script = "sealstream-verify"
    return {
        "METADATA": "\n".join(lines).encode(),
        "WHEEL": b"Wheel-Version: 1.0\nGenerator: sealstream\nRoot-Is-Purelib: true\n"
        b"Tag: py3-none-any\n",
        "entry_points.txt": ("[console_scripts]\n%s = %s\n" % (script, setting(script))).encode(),
    }


def write_wheel(directory, files):
    """Writes the files and their RECORD (PEP 427)."""
    name = "sealstream-%s-py3-none-any.whl" % version()
    files = {**files, **{info_folder() + "/" + one: raw for one, raw in metadata().items()}}
    record = info_folder() + "/RECORD"
    lines = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append("%s,sha256=%s,%d\n" % (path, digest, len(content)))
    files[record] = ("".join(lines) + record + ",,\n").encode()
    with zipfile.ZipFile(pathlib.Path(directory, name), "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            info = zipfile.ZipInfo(path, TIME)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return name
