"""People of each role, for any test."""

from django.contrib.auth.models import Group, User


def make_person(role: str) -> User:
    """An account that may sign in to the admin and is in the group `role`, called like it."""
    user = User.objects.create_user(role, password=role, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user
