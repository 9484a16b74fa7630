"""The release platform: what `vercel` and `kubectl` act on, so that a rollback in a drill is a real one.

Numbered releases of an app lie as directories; the current one runs as real processes behind a router. Everything that
an operator may do (deploy, roll back, scale, restart) starts and stops those processes.
"""
