"""The rules that no single module can hold: who imports what, what is documented, what is tested."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from jobs.settings import PREFIX, Settings
from regcore.plan import make_plan
from regcore.spec import parse_spec
from regcore.study.sweep import plan_sweep

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("api", "jobs", "worker", "regcore", "regclient")
HEAVY = (
    "torch",
    "torchvision",
    "sklearn",
    "scipy",
    "numpy",
    "tensorboard",
    "matplotlib",
    "regclient",
    "worker",
)
MADE_BY_TORCH = {
    "tensor", "as_tensor", "scalar_tensor", "zeros", "ones", "full", "empty", "arange", "linspace", "logspace", "eye",
    "rand", "randn", "normal",
}  # fmt: skip
PICKLES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FOLDERS_OF_PAGES = ("docs", "benchmarks")
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(page for folder in FOLDERS_OF_PAGES for page in sorted((ROOT / folder).rglob("*.md"))),
]

EXAMPLES = sorted((ROOT / "examples").glob("*.json"))


def _sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def _modules() -> list[str]:
    """Every module that a test must mirror, as `jobs/ids.py`."""
    found = (path.relative_to(ROOT) for path in _sources(*PACKAGES))
    # `__init__` says what lives there, `__main__` is one call, migrations are tested by running them.
    return [
        str(path)
        for path in found
        if path.name not in ("__init__.py", "__main__.py") and "migrations" not in path.parts
    ]


def _blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def build() -> ModuleType:
    """`docs/build.py`, which is a script and lies in no package."""
    spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs/build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


# Imports


def test_importing_the_api_loads_nothing_heavy() -> None:
    code = f"import sys, api.main; print([name for name in {HEAVY!r} if name in sys.modules])"

    ran = _run(sys.executable, "-c", code)

    assert (ran.returncode, ran.stdout.strip()) == (0, "[]"), ran.stdout + ran.stderr


def test_importing_the_spec_and_the_plan_loads_no_torch() -> None:
    code = "import sys, regcore.spec, regcore.plan, regcore.record; print('torch' in sys.modules)"

    ran = _run(sys.executable, "-c", code)

    assert (ran.returncode, ran.stdout.strip()) == (0, "False"), ran.stdout + ran.stderr


def test_the_import_rules_hold() -> None:
    ran = _run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_api_extra_installs_no_torch(project: dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"]

    def closure(extra: str) -> set[str]:
        names = set()
        for requirement in extras[extra]:
            name, inner = re.match(r"([\w-]+)(?:\[([\w,-]+)\])?", requirement).groups()
            if name == "regcore":
                names |= set().union(*(closure(part) for part in inner.split(",")))
            else:
                names.add(name)
        return names

    assert "fastapi" in closure("api")
    assert not closure("api") & {"torch", "torchvision", "torchmetrics", "scikit-learn"}
    assert "torch" in closure("worker")


# Safety


@pytest.mark.parametrize("path", [str(path.relative_to(ROOT)) for path in _sources(*PACKAGES, "benchmarks")])
def test_nothing_reads_or_writes_pickle(path: str) -> None:
    found = []
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    # torchvision's weights are such files; so read they hold tensors alone, and nothing in them is called.
    safe = {
        node.func
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and "weights_only=True" in map(ast.unparse, node.keywords)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found += [name.name for name in names if name.name.split(".")[0] in PICKLES - {"pickle"}]
            # Its exception may be named, to catch what numpy raises for a file that it refuses to unpickle.
            case ast.Attribute(value=ast.Name(id="pickle"), attr=attribute) if attribute != "UnpicklingError":
                found.append(f"pickle.{attribute}")
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in PICKLES:
                found.append(module)
            case ast.Attribute(value=ast.Name(id="torch"), attr="load" | "save" as attribute) if node not in safe:
                found.append(f"torch.{attribute}")
            case ast.keyword(arg="allow_pickle", value=value) if ast.unparse(value) != "False":
                found.append("allow_pickle")
            case ast.Constant(value="pickle"):
                found.append("'pickle'")

    assert found == []


def test_ruff_refuses_pickle_too(project: dict[str, Any]) -> None:
    lint = project["tool"]["ruff"]["lint"]
    ignored = [*lint["ignore"], *(code for codes in lint["per-file-ignores"].values() for code in codes)]

    assert "S" in lint["select"]
    assert not {"S", "S3", "S30", "S301", "S302", "S403"} & set(ignored)


# Numbers


@pytest.mark.parametrize("path", [str(path.relative_to(ROOT)) for path in _sources("regcore", "worker")])
def test_every_tensor_is_made_with_a_dtype(path: str) -> None:
    """Without one it is float32, or whatever the caller's default is, on the way of a float64 run too."""
    found = []
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr=name), keywords=keywords) if (
                name in MADE_BY_TORCH and "dtype" not in [keyword.arg for keyword in keywords]
            ):
                found.append(ast.unparse(node))
            case ast.Call(func=ast.Attribute(attr="float" | "half" | "bfloat16"), args=[]):
                found.append(ast.unparse(node))

    assert found == []


# Tests


@pytest.mark.parametrize("module", _modules())
def test_every_module_has_its_test(module: str) -> None:
    path = Path(module)
    mirror = ROOT / "tests" / path.with_name(f"test_{path.name}")

    assert mirror.is_file(), f"expected {mirror.relative_to(ROOT)}, which mirrors {module}"
    assert "def test_" in mirror.read_text("utf-8")


def _dotted_names(*folders: str) -> Iterator[tuple[str, str]]:
    """Every name with a dot in the code of these folders, such as `shutil.which`, after its file."""
    for path in _sources(*folders):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute):
                yield str(path.relative_to(ROOT)), ast.unparse(node)


def test_each_server_of_the_machine_is_looked_for_in_one_place() -> None:
    found = {path for path, name in _dotted_names(*PACKAGES, "tests", "benchmarks", "docs") if name == "shutil.which"}

    assert found == {
        "regclient/stack/embedded_redis.py",
        "tests/support/postgres_binaries.py",
        "tests/support/proxies.py",
    }


def test_no_test_is_skipped_for_what_a_machine_lacks() -> None:
    skips = ("pytest.skip", "pytest.importorskip", "pytest.mark.skip", "pytest.mark.skipif")
    # `make test-quick` alone leaves tests out, for what they do and whatever the machine has.
    quick = ("tests/support/without_processes.py", "pytest.skip")

    assert [found for found in _dotted_names("tests") if found[1] in skips and found != quick] == []


# Documentation


def test_generated_documentation_equals_what_the_code_says(build: ModuleType) -> None:
    stale = [
        str(path)
        for path, content in build.outputs().items()
        if not (ROOT / path).is_file() or (ROOT / path).read_text("utf-8") != content
    ]

    assert stale == [], "run `make docs`"


def test_no_page_is_left_of_a_regularizer_that_is_gone(build: ModuleType) -> None:
    pages = {path.relative_to(ROOT) for path in (ROOT / build.PAGES).glob("*.md")}

    assert pages <= set(build.outputs())


def test_openapi_json_is_the_codes_own(build: ModuleType) -> None:
    committed = json.loads((ROOT / "openapi.json").read_text("utf-8"))

    assert committed == json.loads(build.openapi())


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_readme_with_a_description(name: str) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    description = Settings.model_fields[name].description

    assert description
    assert f"`{PREFIX}{name.upper()}`" in readme
    assert description in readme


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_variable_that_documentation_names_exists(document: Path) -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {
        "REGCORE_URL",
        "REGCORE_API_KEY",
        "REGCORE_DEBUG",
    }
    known |= {f"{name}_FILE" for name in known}

    assert set(re.findall(r"\bREGCORE_[A-Z_]*[A-Z]", document.read_text("utf-8"))) <= known


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text("utf-8"))
    local = [target for target in targets if "://" not in target]

    assert [target for target in local if not (document.parent / target).exists()] == []


def test_every_python_example_of_the_readme_parses_and_imports() -> None:
    blocks = _blocks(ROOT / "README.md", "python")

    assert len(blocks) >= 3
    for block in blocks:
        for node in ast.parse(block).body:
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, name.name) for name in node.names)


def test_every_shell_example_of_the_readme_parses() -> None:
    blocks = _blocks(ROOT / "README.md", "sh")

    assert blocks
    for block in blocks:
        checked = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr


def test_every_job_that_the_readme_posts_is_accepted() -> None:
    bodies = re.findall(r" -d '(.*?)'", "".join(_blocks(ROOT / "README.md", "sh")), re.DOTALL)

    assert bodies
    for body in bodies:
        make_plan(parse_spec(json.loads(body)))


def test_every_sweep_of_the_readme_is_a_file_of_examples_and_is_accepted() -> None:
    specs = [json.loads(block) for block in _blocks(ROOT / "README.md", "json")]

    files = {spec["name"]: spec for spec in (json.loads(file.read_text("utf-8")) for file in EXAMPLES)}
    assert specs
    assert {spec["name"]: spec for spec in specs} == files
    for spec in specs:
        plan_sweep(spec)


def test_every_route_that_the_readme_calls_exists() -> None:
    routes = json.loads((ROOT / "openapi.json").read_text("utf-8"))["paths"]
    patterns = [re.compile(re.sub(r"\{[^}]+\}", r"[^/]+", route)) for route in routes]
    blocks = _blocks(ROOT / "README.md", "sh") + _blocks(ROOT / "README.md", "")
    called = [f"/v1{path}" for path in re.findall(r"\$API(/[^\s'?]+)", "".join(blocks))]

    assert called
    assert [path for path in called if not any(pattern.fullmatch(path) for pattern in patterns)] == []
