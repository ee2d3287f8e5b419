"""The index proxy: what other installers fetch through the gate meets the same guard as pip's candidates.

The gate brings requests and carries bytes; here it is decided which pages, files and metadata they get. It
needs the extra ``veln-hook[gate]``.
"""
