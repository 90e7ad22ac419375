from registry.admin import evidence, holds, operator, personnel, purposes, subjects

__all__ = ["evidence", "holds", "operator", "personnel", "purposes", "subjects"]
