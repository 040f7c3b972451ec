"""The installed packages that offer kinds: a worker claims only jobs whose plugins it has."""

from importlib.metadata import PackageNotFoundError, version

from regcore.kinds import plugins


def installed_plugins() -> dict[str, str]:
    """The version of each plugin, by the name of its package.

    Raises:
        PluginError: One cannot be imported.
    """
    return {name: _version(name) for name in plugins()}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # its entry point belongs to no package
        return "unknown"
