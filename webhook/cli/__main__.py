"""`python -m webhook.cli`."""

from webhook.cli.main import main

main()
