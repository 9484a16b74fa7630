"""A small Kubernetes API over the platform's apps: as much as the real kubectl needs to see and to recover a deployment."""

from drillbook.platform.kubernetes.kubeconfig import kubeconfig

__all__ = ["kubeconfig"]
