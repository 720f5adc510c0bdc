"""The phases of ``benchmarks/gpu.py``: each is a module with a function ``run(check)``, and runs in a process of its own."""
