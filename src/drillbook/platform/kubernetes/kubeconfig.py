"""The file that tells kubectl where the sandbox's cluster is and how to be let in."""

from __future__ import annotations

import json
from pathlib import Path


def kubeconfig(host: str, port: int, ca_file: Path, token: str, context: str = "production") -> str:
    """Write a kubeconfig (YAML) with one cluster, one user and one context, which is the current one.

    `host` must be a name on the server's certificate. kubectl sends the token over https only.
    """
    quoted = {key: json.dumps(value) for key, value in {"c": context, "ca": str(ca_file), "t": token}.items()}
    return f"""\
apiVersion: v1
kind: Config
clusters:
- name: {quoted["c"]}
  cluster:
    server: https://{host}:{port}
    certificate-authority: {quoted["ca"]}
users:
- name: operator
  user:
    token: {quoted["t"]}
contexts:
- name: {quoted["c"]}
  context:
    cluster: {quoted["c"]}
    user: operator
    namespace: default
current-context: {quoted["c"]}
preferences: {{}}
"""
