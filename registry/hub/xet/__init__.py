"""Taking in what Hub clients upload by Xet: chunks packed in xorbs, and shards that say how files
are made of them. Only the upload half: files are stored and sent out whole.

xorbs, shards   pure: the two wire formats, read with bounded memory from a client nobody trusts
ingest          xorbs → staged chunks; shards → files → blobs
routes          the content-addressed service as the client calls it

Chunk and xorb hashes (keyed BLAKE3 trees) are taken as mere names and never computed. That is safe:
names mean something only within one model, whose pushers may change its files anyway, and a file
is kept under the sha256 of the bytes that were really put together, which is what a commit names.
A forged name can only make such a file come out wrong, and then it is refused.
"""
