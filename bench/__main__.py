"""`python -m bench` is the console script `bench`."""

from bench.processes.launch import find_ours, forget_current_folder

find_ours()
forget_current_folder()  # before anything is imported that a file there could be named like

from bench.cli import main  # noqa: E402

main()
