"""`python -m bench` is the console script `bench`."""

from bench.processes.launch import find_ours, forget_current_folder

find_ours()
forget_current_folder()  # first: a file there could have the name of a module that is imported below

from bench.cli import main  # noqa: E402

main()
