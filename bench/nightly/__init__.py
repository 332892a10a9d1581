"""What a nightly check does: canaries, fresh seeds within a time budget, comparisons, causes. docs/nightly.md."""
