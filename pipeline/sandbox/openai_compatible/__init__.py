"""A stand-in for a server that speaks OpenAI's protocol, as OpenAI itself or as vLLM: they refuse in different words.

Sources: OpenAI's reference of errors; vLLM's ``serving_engine.py`` and its issues 3486 and 5082. No model runs here.
"""
