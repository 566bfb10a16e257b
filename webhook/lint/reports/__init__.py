"""The output formats of `validate`: one module for each format, with `write(result) -> str`."""
