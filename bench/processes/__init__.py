"""How processes of ours are started: their module search path, threads and allocator. Torch-free."""
