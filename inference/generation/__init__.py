"""Text that is made token by token: what is asked for, who shares a pass, how it is sent home.

No model library is loaded here: `inference.runtimes.generating` answers the ports in `ports`.
"""
