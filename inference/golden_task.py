"""Make the golden inputs of one version: `python -m inference.golden_task MODEL NUMBER`."""

import os
import sys

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from inference.swap.making import make

    make(sys.argv[1], int(sys.argv[2]))


if __name__ == "__main__":
    main()
