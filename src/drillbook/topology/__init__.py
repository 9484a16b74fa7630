"""The environment file, read: what the system is, who answers to which name, what is promised and who may do what.

Import the modules themselves: `load` is light until it is called; `references`, `bindings`, `order` and `addresses`
need no pydantic.
"""
