"""A stand-in for Hugging Face: the Hub's API and the router, on a real socket, with a small world of its own.

Source of every behaviour: ``huggingface_hub`` 2.4 (which exception which answer raises), the Hub's documentation, and
issue threads for the words of the router. What is not documented is marked where it stands. It says what it is in the
``Server`` header and in the name of each model's author.
"""
