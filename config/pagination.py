"""How long lists are cut: by cursor, so that page 1,000 costs what page 1 costs."""

from rest_framework.pagination import CursorPagination


class CursorPage(CursorPagination):
    """`?cursor=` walks, `?limit=` sizes (50, at most 500). Lists are newest first unless a view
    says otherwise.
    """

    page_size = 50
    max_page_size = 500
    page_size_query_param = "limit"
    ordering = "-id"
