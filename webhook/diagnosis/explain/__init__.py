"""Why a Pod is meshed or is not: every rule, setting and webhook, and what to do."""
