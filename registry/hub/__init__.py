"""The Hugging Face Hub's HTTP API at the host root, for stock clients.

    routing · ndjson · ranges               pure: paths, commit lines, byte ranges
    shapes · revisions · history            the JSON that clients read, and what it tells
    calls · bodies · downloads · uploads    a request, bytes in, bytes out, uploads under way
    signing · errors                        upload URLs, what clients see when something is refused
    app                                     one ASGI route that runs all the others

Every other module holds handlers and lists them in `routes()`.
"""
