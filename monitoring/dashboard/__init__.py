"""Pages for people, within the admin: what serves, how well, and what can be done about it.

`urls` names every page; a page is one file in `views`, one template in `templates/dashboard`, and
what it shows is read by one module beside this. Scripts get their data from `/api/v1`.
"""
