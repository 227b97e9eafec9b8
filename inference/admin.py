"""Jobs in the admin: facts to read, nothing to edit."""

from django.contrib import admin

from access.facts import FactsAdmin
from inference.models import Job


@admin.register(Job)
class JobAdmin(FactsAdmin):
    purpose = "Predictions of many texts that run in the background."
    empty = "No job was started yet. Programs start them with POST /async-sentiment."
    list_display = ("id", "model", "state", "n_done", "n_inputs", "created_at", "finished_at")
    list_filter = ("state", "model")
    search_fields = ("id", "request_id")
    date_hierarchy = "created_at"
    show_full_result_count = False
    list_per_page = 50
