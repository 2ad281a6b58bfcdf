"""A stand-in for a model server: it speaks Ollama's HTTP protocol and computes its answers without any model.

No model server can be shipped with the sandbox, so this one takes its place. Routes, bodies, errors and their texts
are those of Ollama; the answers are deterministic and depend on the text that is given. It says what it is in its
version, in the ``family`` of each model, in the ``Server`` header and in its log.
"""
