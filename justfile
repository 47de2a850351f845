# Short names for what one does often; `.ci/run` is what counts.

# Format, lints and tests: before each commit.
check:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    cargo nextest run

# Write the pages that are made from the code.
docs:
    UPDATE_DOCS=1 cargo test --test all docs::

# Write the expected messages of the golden tests anew; read the diff before committing it.
golden:
    UPDATE_GOLDEN=1 cargo test --test all golden::

# What would become of a message?
try file:
    cargo run --quiet --release -- check {{file}}

# The demonstration.
demo:
    cargo run --release -- demo

# Exactly what the continuous integration runs.
ci:
    .ci/run
