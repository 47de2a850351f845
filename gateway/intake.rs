//! What every door does with one message: inspect it, seal it, commit it, and only then answer.
