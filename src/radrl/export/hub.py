"""Model hubs that an exported folder can be sent to."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from radrl.errors import ConfigError

MODELSCOPE = "USE_MODELSCOPE_HUB"
"""Set to 1, this variable of the environment chooses ModelScope, as it does in ms-swift."""


class Hub(Protocol):
    """Takes model folders."""

    def check(self) -> None:
        """Raise ConfigError when nothing can be sent: no token, or no package."""
        ...

    def upload(self, folder: Path, repo: str) -> str:
        """Send a folder to a private repository, made if need be. Returns where it is."""
        ...


class HuggingFaceHub:
    """huggingface.co, with the token of `hf auth login` or HF_TOKEN."""

    def check(self) -> None:
        """Look for a token."""
        from huggingface_hub import get_token

        if get_token() is None:
            raise ConfigError("there is no token to upload with. Run `hf auth login`, or set HF_TOKEN.")

    def upload(self, folder: Path, repo: str) -> str:
        """Send the folder."""
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError

        api = HfApi()
        try:
            url = api.create_repo(repo, private=True, exist_ok=True)
            api.upload_folder(folder_path=folder, repo_id=repo)
        except (HfHubHTTPError, OSError, ValueError) as error:
            raise ConfigError(
                f"the hub refused {repo}: {error}. The folder {folder} is complete: check the name and the token's "
                "permissions, and upload it again."
            ) from error
        return str(url)


def open_hub(environment: Mapping[str, str] = os.environ) -> Hub:
    """The hub that the environment chooses. Raises ConfigError for one that nothing is sent to from here."""
    if environment.get(MODELSCOPE, "0").lower() in ("1", "true"):
        raise ConfigError(
            f"{MODELSCOPE} (from environment) chooses ModelScope, to which nothing is uploaded from here. Leave out "
            "--upload and send the exported folder with ModelScope's own client, or unset the variable."
        )
    return HuggingFaceHub()
