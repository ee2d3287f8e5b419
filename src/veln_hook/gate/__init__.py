"""The gate: what other processes' traffic goes through, as long as the command it serves lives.

``egress.Egress`` lets sockets that it is handed reach the hosts that are listed, and nothing else. It needs
the extra ``veln-hook[gate]``; ``extra.require`` says so in one line where it is missing.
"""
