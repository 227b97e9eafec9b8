"""The monitor's pages in the admin, one file a theme; Django finds them by this import."""

from monitoring.admin import predictions, references, shadows

__all__ = ["predictions", "references", "shadows"]
