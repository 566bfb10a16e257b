"""What there is to say about objects whose annotations the injector reads.

`objects.Advisor` looks over any object; the injector itself says the same of each Pod that it is asked about. A check
of a Pod is a function of `facts.Facts` in a module of its own subject, and a name in `pods.CHECKS`.
"""
