"""How a version gets from the registry into traffic, and out of it again.

stage → admit → load → smoke → golden → warm up → switch → drain → standby → unload

`states` says which step follows which; `preparing` takes the steps up to READY, `fleet` the rest.
"""
