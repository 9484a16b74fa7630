"""The failures of a Kubernetes API server, with its own words: kubectl prints them as they come."""

from __future__ import annotations

from drillbook.errors import DrillbookError


class ApiError(DrillbookError):
    """A `Status` of kind Failure: HTTP code, machine-readable reason, message, and the object it is about."""

    def __init__(self, code: int, reason: str, message: str, **details: object) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details

    def status(self) -> dict[str, object]:
        """Give the Status object."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }


def no_such_path() -> ApiError:
    """Tell that the server has no such resource."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def not_found(resource: str, group: str, name: str) -> ApiError:
    """Tell that an object is not there."""
    qualified = f"{resource}.{group}" if group else resource
    return ApiError(404, "NotFound", f'{qualified} "{name}" not found', name=name, group=group, kind=resource)


def not_allowed() -> ApiError:
    """Tell that the method is not one of this resource."""
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def invalid(name: str, problem: str) -> ApiError:
    """Tell that a deployment would be invalid."""
    message = f'Deployment.apps "{name}" is invalid: {problem}'
    field, _, text = problem.partition(": ")
    causes = [{"field": field, "message": text, "reason": "FieldValueInvalid"}]  # kubectl prints these
    return ApiError(422, "Invalid", message, name=name, group="apps", kind="Deployment", causes=causes)


def conflict(name: str) -> ApiError:
    """Tell that a deployment has changed since it was read."""
    return ApiError(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on deployments.apps "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again",
        name=name,
        group="apps",
        kind="deployments",
    )
